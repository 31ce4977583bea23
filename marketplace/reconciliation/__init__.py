"""Ledger, Stripe and bank held against each other: every match says why, every difference is an item."""
