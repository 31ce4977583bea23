"""Statements of an expert's money for a month or a year, from the ledger."""
