"""What moves money, and where it lies, in the reader's words."""

from __future__ import annotations

from datetime import timedelta

from marketplace.home.finance.forecast import Flow, Why
from marketplace.home.finance.places import Ages
from marketplace.home.finance.running import Running
from marketplace.i18n import day, moment, ngettext
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.states import Rail


def flow(each: Flow) -> str:
    """Why money moves on a day, and how many things make it up."""
    n = each.count
    return {
        Why.PENDING: ngettext("a payment becomes available", "%(n)s payments become available", n),
        Why.TOP_UP: ngettext("a top-up arrives", "%(n)s top-ups arrive", n),
        Why.SENT_SINCE: ngettext("sent since Stripe’s figures", "%(n)s sent since Stripe’s figures", n),
        Why.RELEASED: ngettext("a payment that is released", "%(n)s payments that are released", n),
        Why.PREPARED: ngettext("a payment in a prepared batch", "%(n)s payments in prepared batches", n),
        Why.PAYABLE: _("approved, for the next pay run"),
        Why.DEADLINE: ngettext(
            "a week that counts as approved by then", "%(n)s weeks that count as approved by then", n
        ),
        Why.REFUND: ngettext("a refund", "%(n)s refunds", n),
        Why.CHARGEBACK: ngettext(
            "a payment that a bank asks about", "%(n)s payments that banks ask about", n
        ),
        Why.SWEEP: ngettext("a sweep of our fees", "%(n)s sweeps of our fees", n),
    }[each.why]


def why(kind: Why) -> str:
    """The heading of all that moves for one reason."""
    return {
        Why.PENDING: _("Clients’ payments that become available"),
        Why.TOP_UP: _("Top-ups that arrive"),
        Why.SENT_SINCE: _("Sent after Stripe was last asked"),
        Why.RELEASED: _("Released, and not sent yet"),
        Why.PREPARED: _("In a batch that waits to be released"),
        Why.PAYABLE: _("Approved, for the next pay run"),
        Why.DEADLINE: _("Weeks that count as approved when nobody answers, by the rate of their contract"),
        Why.REFUND: _("Refunds to clients"),
        Why.CHARGEBACK: _("Payments that a bank asks about, and may take back"),
        Why.SWEEP: _("Our own fees, to our bank"),
    }[kind]


def place(code: str) -> str:
    """Where money lies or travels."""
    return {
        "1010": _("At the bank, our own"),
        "1020": _("At the bank, clients’"),
        "1160": _("On its way to Stripe"),
        "1100": _("At Stripe"),
        "1130": _("Kept back by Stripe"),
        "1150": _("On its way to our bank"),
    }[code]


def announced(rail: Rail, n: int) -> str:
    """What clients said that they would pay."""
    if rail is Rail.WIRE:
        return ngettext("a wire", "%(n)s wires", n)
    return ngettext("a bank transfer to Stripe", "%(n)s bank transfers to Stripe", n)


def ages(found: Ages) -> str:
    """As of when the figures from outside are."""
    stripe = _("Stripe was not asked yet.")
    if found.stripe is not None:
        stripe = _("What Stripe says is of %(when)s.", when=moment(found.stripe))
    bank = _("Not every bank account has a statement here.")
    if found.bank is not None:
        bank = _("The bank’s statements reach to %(day)s.", day=day(found.bank))
    return f"{stripe} {bank}"


def figure(said: str, subject: str) -> str:
    """What a proof expected, or found: an amount where the subject ends with its currency."""
    currency = subject.rpartition(" ")[2]
    try:
        return str(Money(int(said), currency))
    except ValueError:
        return said


def bucket(least: int, most: int | None) -> str:
    """How long ago something was approved, in days."""
    if most is None:
        return _("More than %(n)s days ago", n=least - 1)
    return _("In the last %(n)s days", n=most) if not least else _("%(a)s to %(b)s days ago", a=least, b=most)


def pace(each: Running) -> str:
    """How a batch gets on: what holds it up, how fast it goes, and how long the rest takes."""
    said = [
        _("Paused by %(name)s since %(when)s: %(why)s",
          name=pause.pauser.full_name, when=moment(pause.paused_at), why=pause.reason)
        for pause in each.pauses
    ]  # fmt: skip
    if each.pauses:
        return " ".join(said)
    if each.to_go == each.waiting and each.waiting:
        said.append(_("All that is left waits for money, or for a hold to end."))
    elif each.left is not None:
        said.append(
            _("%(rate)s transfers a second, so the rest takes %(left)s.",
              rate=f"{each.rate:.1f}", left=duration(each.left))
        )  # fmt: skip
    elif each.to_go:
        said.append(_("Nothing was sent in the last minute. At best the rest takes %(left)s.",
                      left=duration(each.at_best)))  # fmt: skip
    if each.waiting and each.to_go > each.waiting:
        said.append(
            ngettext("One payment waits for something.", "%(n)s payments wait for something.", each.waiting)
        )
    if each.unknown:
        said.append(ngettext("One has no known outcome and is looked up.",
                             "%(n)s have no known outcome and are looked up.", each.unknown))  # fmt: skip
    return " ".join(said)


def duration(left: timedelta) -> str:
    """About how long, in words."""
    seconds = int(left.total_seconds())
    if seconds < 90:
        return ngettext("about a second", "about %(n)s seconds", max(1, seconds))
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("about a minute", "about %(n)s minutes", minutes)
    return ngettext("about an hour", "about %(n)s hours", round(minutes / 60))
