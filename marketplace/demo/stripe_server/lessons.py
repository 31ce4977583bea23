"""What each switch does, and what somebody who practises should then look for in Marginalia, in words."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.i18n import lazy


@dataclass(frozen=True)
class Lesson:
    """A switch in words. `asks` says what its target is: `endpoint`, `event`, `account` or nothing.

    `times` and `at` are what the form offers first.
    """

    kind: str
    title: str
    happens: str
    look: str
    asks: str = ""
    times: str = "1"
    at: str = "POST /v1/transfers"


ANSWERS = (
    Lesson(
        "error_before",
        lazy("An error before anything was done"),
        lazy("Stripe answers 500 and has done nothing. The same key, sent again, works."),
        lazy("Payouts: the item says that the outcome is not known, then goes out once."),
        "endpoint",
    ),
    Lesson(
        "error_after",
        lazy("An error although it was done"),
        lazy("Stripe does what was asked, answers 500, and repeats that 500 for a day under the same key."),
        lazy("Payouts: the transfer is looked up and counted once; no second one appears at Stripe."),
        "endpoint",
    ),
    Lesson(
        "drop_after",
        lazy("The answer gets lost"),
        lazy("Stripe does what was asked, and the connection ends before the answer comes."),
        lazy("Payouts: the outcome is not known for a moment, then the item is sent; it is paid once."),
        "endpoint",
    ),
    Lesson(
        "drop_before",
        lazy("Stripe is not there"),
        lazy("The connection ends at once, and nothing was done. Without a number, until you clear it."),
        lazy("All pages still work; what has to go to Stripe waits, and goes out when it is back."),
        "endpoint",
        times="",
        at="*",
    ),
    Lesson(
        "hang_after",
        lazy("No answer comes, though it was done"),
        lazy("Stripe does what was asked and keeps the caller waiting for a minute."),
        lazy("The batch gives up on the answer, goes on with the next expert, and finds out later."),
        "endpoint",
    ),
    Lesson(
        "hang_before",
        lazy("No answer comes, and nothing was done"),
        lazy("Stripe keeps the caller waiting for a minute and then ends the connection."),
        lazy("The item's outcome is not known until it is looked up; then it goes out once."),
        "endpoint",
    ),
    Lesson(
        "garbage",
        lazy("An answer that is no answer"),
        lazy("Stripe does what was asked; a web page comes back, with the status of a success."),
        lazy("The item's outcome is not known until it is looked up; nothing is counted from the page."),
        "endpoint",
    ),
    Lesson(
        "key_in_use",
        lazy("The key is in use"),
        lazy("Stripe answers 409: somebody else is just asking the same."),
        lazy("The item's outcome is not known until it is looked up; then it goes out once."),
        "endpoint",
    ),
    Lesson(
        "lock_timeout",
        lazy("The object is locked"),
        lazy("Stripe answers 429 with lock_timeout, without naming a limit."),
        lazy("The item waits a little; nobody is marked as failed."),
        "endpoint",
    ),
    Lesson(
        "limit_endpoint_rate",
        lazy("Too many requests to one address"),
        lazy("Stripe answers 429, endpoint-rate, and says not when to come back."),
        lazy("The batch slows down and is finished; nobody is marked as failed."),
        "endpoint",
    ),
    Lesson(
        "limit_global_rate",
        lazy("Too many requests in all"),
        lazy("Stripe answers 429, global-rate."),
        lazy("Everything that talks to Stripe slows down; the batch is finished."),
        "endpoint",
    ),
    Lesson(
        "limit_endpoint_concurrency",
        lazy("Too many at once at one address"),
        lazy("Stripe answers 429, endpoint-concurrency."),
        lazy("The batch slows down and is finished."),
        "endpoint",
    ),
    Lesson(
        "limit_global_concurrency",
        lazy("Too many at once in all"),
        lazy("Stripe answers 429, global-concurrency."),
        lazy("The batch slows down and is finished."),
        "endpoint",
    ),
    Lesson(
        "limit_resource_specific",
        lazy("Too many requests about one thing"),
        lazy("Stripe answers 429, resource-specific."),
        lazy("The batch slows down and is finished."),
        "endpoint",
    ),
)
LASTING = (
    Lesson(
        "real_limit",
        lazy("Stripe's real limits"),
        lazy("25 requests a second on one address, 100 in all; more are answered with 429."),
        lazy("Payouts: a batch goes on at this pace and is finished; nobody is marked as failed."),
    ),
    Lesson(
        "latency",
        lazy("A slow line"),
        lazy("Each answer takes a fifth of a second longer."),
        lazy("Payouts: a batch takes longer; the other pages stay as fast as they were."),
    ),
    Lesson(
        "secret_rolled",
        lazy("The secret of the messages is being replaced"),
        lazy("Each message is signed twice: with a new secret first, and with the old one."),
        lazy("Messages are still accepted. Give Marginalia the new secret before you clear this."),
    ),
)
HOOKS = (
    Lesson(
        "hook_twice",
        lazy("A message comes twice"),
        lazy("The next event is delivered two times."),
        lazy("Ledger: one entry, not two."),
        "event",
    ),
    Lesson(
        "hook_flood",
        lazy("A message comes fifteen times"),
        lazy("The next event is delivered fifteen times at nearly the same moment."),
        lazy("Ledger: one entry. No delivery is answered with an error."),
        "event",
    ),
    Lesson(
        "hook_two_ids",
        lazy("The same news under two numbers"),
        lazy("The next event is told a second time, as an event of its own."),
        lazy("Ledger: one entry, not two."),
        "event",
    ),
    Lesson(
        "hook_reordered",
        lazy("Messages come in the wrong order"),
        lazy("So many events are held back, then delivered with the newest first."),
        lazy("States end where Stripe's are, and never go backwards."),
        "event",
        times="2",
    ),
    Lesson(
        "hook_late",
        lazy("A message comes late"),
        lazy("The next event is held back for an hour by this clock."),
        lazy("Marginalia asks by itself meanwhile, or catches up when the hour is over."),
        "event",
    ),
    Lesson(
        "hook_lost",
        lazy("A message never comes"),
        lazy("The next event is delivered to nobody; it stands in Stripe's list of events."),
        lazy("Within an hour Marginalia finds it by asking."),
        "event",
    ),
)
MONEY = (
    Lesson(
        "capability_off",
        lazy("An expert may no longer be paid"),
        lazy("Just before the next transfer, Stripe stops transfers to that expert and says nothing."),
        lazy("Payouts: that expert is left out with the reason, is written to, and is still owed."),
        "account",
    ),
    Lesson(
        "payout_fails",
        lazy("A payout does not reach the bank"),
        lazy("The next payout that would arrive fails: the bank account is closed."),
        lazy("The expert is told to name another account; the money waits at Stripe and is not sent again."),
        "account",
    ),
    Lesson(
        "payout_returns",
        lazy("A payout comes back after it was paid"),
        lazy("The next payout arrives, and fails two business days later."),
        lazy("What was paid becomes returned; for the platform's own, the bank statement shows both lines."),
        "account",
    ),
    Lesson(
        "debit_fails",
        lazy("A client’s bank debit fails"),
        lazy("The next bank debit is refused after four business days."),
        lazy("The project is not credited; the client is told that the payment did not go through."),
    ),
    Lesson(
        "debit_returns",
        lazy("A client’s bank debit comes back later"),
        lazy("The next bank debit succeeds, and three business days later its bank takes it back for good."),
        lazy("The project's money shrinks, or its shortfall is shown; the dispute fee is booked."),
    ),
    Lesson(
        "topup_fails",
        lazy("A top-up fails"),
        lazy("The next top-up is refused by the platform's own bank."),
        lazy("The forecast still shows the shortfall."),
    ),
    Lesson(
        "topup_returns",
        lazy("A top-up is taken back"),
        lazy("The next top-up succeeds, and two business days later the bank takes it back."),
        lazy("Cash at Stripe goes down again, and the bank statement shows both lines."),
    ),
)
GROUPS = (
    ("answers", lazy("When Marginalia asks Stripe"), ANSWERS),
    ("lasting", lazy("Until you clear it"), LASTING),
    ("messages", lazy("When Stripe tells Marginalia"), HOOKS),
    ("money", lazy("Money on its way"), MONEY),
)
BY_KIND = {lesson.kind: lesson for _id, _title, group in GROUPS for lesson in group}
