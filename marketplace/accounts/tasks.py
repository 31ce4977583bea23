"""What happens by itself in accounts; importing this registers the jobs."""

from marketplace.accounts.limits import forget_attempts
from marketplace.accounts.sessions import forget_sessions
from marketplace.accounts.signing_in import send_reset

__all__ = ["forget_attempts", "forget_sessions", "send_reset"]
