"""Offers, contracts, time, approvals, and what is questioned and adjusted.

An approval names the table of first approvals. It is known before anything of the slice is looked up.
"""

import marketplace.contracts.approving.models  # noqa: F401
