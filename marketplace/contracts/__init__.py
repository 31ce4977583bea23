"""Offers, contracts, approvals, and what is questioned and adjusted.

An approval names the table of first approvals. It is known before anything of the slice is looked up; and
who is acting, which is put together as it is imported and looks at every table that is known then, before it.
"""

import marketplace.accounts.grants
import marketplace.contracts.approving.models  # noqa: F401
