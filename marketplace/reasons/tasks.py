"""What happens by itself in reasons; importing this registers the jobs."""

from marketplace.reasons import hooks, sign_ins
from marketplace.reasons.appeals import default_overdue

__all__ = ["default_overdue"]

hooks.on_upheld[sign_ins.SUBJECT] = sign_ins.open_upheld
