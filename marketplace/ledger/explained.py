"""What each account of the chart is, and when it is zero, in a sentence or two for people in finance."""

from __future__ import annotations

from marketplace.i18n import gettext as _


def explained(code: str) -> str:
    """The account in words; empty for a code that is not in the chart."""
    return {**_assets(), **_liabilities(), **_result(), **_memo()}.get(code, "")


def _assets() -> dict[str, str]:
    return {
        "1010": _("The operator’s own money at the bank. It is what the bank’s last statement says."),
        "1020": _(
            "Clients’ money at the bank before it is topped up to Stripe. Zero when no wire waits there."
        ),
        "1100": _("What the platform holds at Stripe, available and pending. It is what Stripe says it is."),
        "1130": _("What Stripe keeps back of our balance as a reserve. Zero when it keeps nothing back."),
        "1150": _("Our fees that left Stripe and are not at our bank yet. Zero a few days after each sweep."),
        "1160": _("Top-ups that left our bank and are not at Stripe yet. Zero when all have arrived."),
        "1200": _(
            "What clients owe us after a payment failed whose money was spent. Zero when all was paid."
        ),
        "1210": _(
            "Payments that clients’ banks took back and that we contest. Zero when each is won or lost."
        ),
        "1220": _("What experts have to give back. Zero when all is collected, set off or written off."),
        "1230": _(
            "Tax on what Stripe and others bill us, which the tax office returns. Zero when it was claimed."
        ),
        "1290": _("Both sides of money changed between currencies. Revalued at a month’s end, it is zero."),
    }


def _liabilities() -> dict[str, str]:
    return {
        "2010": _("Clients’ money that nothing reserves yet, by project. Zero when all is used or returned."),
        "2015": _(
            "Clients’ money set aside because their bank took a payment back. Zero when that is decided."
        ),
        "2020": _("Clients’ money that contracts hold for weeks of work. Zero when no week is reserved."),
        "2030": _(
            "Money that arrived by wire and that no request claims yet. Zero when each wire is assigned."
        ),
        "2040": _(
            "Bank debits that clients agreed to and no bank has paid yet. Zero when each was answered."
        ),
        "2100": _("Approved and owed to experts, and in no pay run yet. Zero when everything was released."),
        "2110": _(
            "Released to experts, and not confirmed by Stripe yet. Zero when no transfer is on its way."
        ),
        "2120": _("Pay and fee of questioned time. Zero when each question is settled."),
        "2300": _("Tax on our fees that we owe to tax offices. Zero when it was declared and paid."),
        "2310": _("Tax kept back from experts’ pay for the tax office. Zero when it was paid there."),
        "2500": _("Clients’ unused money that is paid back by hand. Zero when each was paid."),
        "2510": _(
            "Released to go back to clients, and not taken by Stripe yet. Zero when none is on its way."
        ),
        "2900": _(
            "What nobody could explain yet. Zero when each was looked into, at the latest after 30 days."
        ),
    }


def _result() -> dict[str, str]:
    return {
        "3000": _("The operator’s own money, from which fees that we bear are paid. It never runs out."),
        "4010": _(
            "The fee that clients pay on approved work and bonuses. Zero until a first week is approved."
        ),
        "4040": _("Stripe’s processing fees that clients bear. It mirrors what 5010 costs us for them."),
        "5010": _("What Stripe takes for charges. Zero only when nobody paid by card or bank."),
        "5020": _("What Stripe takes for connected accounts and payouts. Zero in a month without payouts."),
        "5030": _(
            "What Stripe takes for chargebacks. Zero when there were none, or when Stripe returned it."
        ),
        "5040": _("Chargebacks that were lost after the money was spent. Zero when none was lost."),
        "5050": _("What experts or clients owe and will not pay, written off by two people. Zero at best."),
        "5060": _("Bonuses that the platform pays instead of a client. Zero when it pays none."),
        "5080": _("Parts of a cent that no line can carry. Close to zero always."),
        "5090": _("What our bank takes. Zero when it takes nothing."),
        "6010": _(
            "Gains and losses from money really changed between currencies. Zero without such changes."
        ),
        "6020": _("Gains and losses from revaluing at a month’s end, taken back on the next day one."),
    }


def _memo() -> dict[str, str]:
    return {
        "9110": _(
            "What Stripe holds for experts in their own accounts. Not ours; zero when all was paid out."
        ),
        "9190": _("The other side of 9110, so that both are zero together."),
    }
