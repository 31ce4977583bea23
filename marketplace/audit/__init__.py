"""The audit trail: who did what to which thing, when, and in which request."""

from marketplace.audit.trail import record, seal, verify

__all__ = ["record", "seal", "verify"]
