"""What happens by itself in reasons; importing this registers the jobs."""

from marketplace.reasons.appeals import default_overdue

__all__ = ["default_overdue"]
