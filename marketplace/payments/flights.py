"""Calls in the air: several transfers asked for at the same time, each by a thread, none of which touches the
database.

It begins with one call, and makes twice as many at once after each answer, up to a most; whatever goes wrong
sets it back to one, so that little is under way when Stripe is in trouble.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from marketplace import clock
from marketplace.i18n import gettext as _
from marketplace.payments import facts
from marketplace.payments.gateway import Gateway
from marketplace.payments.outcomes import GatewayBusy, GatewayRefused
from marketplace.payments.transfers import Order

# At a fifth of a second a call, five are in the air for 25 a second; without a limit more are claimed and
# recorded together.
MOST = 24
# Seconds for which the first answer waits for others, as they are recorded together.
TOGETHER = 0.03

Answer = facts.SentTransfer


def call(gateway: Gateway, order: Order) -> Answer:
    """Ask Stripe for the transfer. Raises GatewayError."""
    return gateway.send_transfer(
        order.key,
        amount=order.amount,
        currency=order.currency,
        destination=order.destination,
        group=order.group,
        source_type=order.source_type,
        metadata={"payout_item": str(order.item), "transfer": str(order.public_id)},
    )


class Flights:
    """`begun`: calls made so far. `answered`: has Stripe said yes or no to any?"""

    def __init__(self, gateway: Gateway) -> None:
        self.begun, self.answered, self.flying = 0, False, dict[Future[Answer], Order]()
        self._gateway, self._window = gateway, 1
        self._pool = ThreadPoolExecutor(MOST)

    def __enter__(self) -> Flights:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def room(self) -> int:
        """How many more may begin; nothing while only a few could, as they are claimed together."""
        free = self._window - len(self.flying)
        return free if free >= (self._window + 1) // 2 else 0

    def begin(self, order: Order, after: float) -> None:
        """Make the call in so many seconds."""
        at, context = time.monotonic() + after, contextvars.copy_context()
        self.begun += 1
        self.flying[self._start(lambda: context.run(self._call, order, at))] = order

    def landed(self) -> tuple[list[tuple[Order, Answer]], list[tuple[Order, Exception]]]:
        """Wait for the next answers: what was sent, and what went wrong."""
        wait(self.flying, return_when=FIRST_COMPLETED)
        done, _flying = wait(self.flying, TOGETHER)
        sent, failed = [], []
        for each in done:
            order = self.flying.pop(each)
            try:
                sent.append((order, each.result()))
            except Exception as error:
                failed.append((order, error))
        if all(isinstance(error, GatewayRefused) for _order, error in failed):
            self.answered, self._window = True, min(MOST, 2 * self._window)
        else:
            self.answered, self._window = self.answered or bool(sent), 1
        return sent, failed

    def _call(self, order: Order, at: float) -> Answer:
        """Not once others may have taken it up: whatever they ask of Stripe, this call comes too late."""
        time.sleep(max(0.0, at - time.monotonic()))
        if order.until is not None and clock.now() >= order.until:
            raise GatewayBusy("too_late", _("It waited too long for its turn. It will be tried again."))
        return call(self._gateway, order)

    def _start(self, work: Callable[[], Answer]) -> Future[Answer]:
        """By a thread; one call alone is made here."""
        if self._window > 1:
            return self._pool.submit(work)
        alone: Future[Answer] = Future()
        try:
            alone.set_result(work())
        except Exception as error:
            alone.set_exception(error)
        return alone
