"""How long an idempotency key counts. Stripe keeps one for at least 24 hours."""

from __future__ import annotations

from datetime import timedelta

# So long after its first use the same key is surely the same request.
KEY_LIVES = timedelta(hours=23)
# So long after its last use, what Stripe does not have was never made.
SURELY_NOT_MADE = timedelta(hours=25)
