"""The chart of accounts: the code, kind and name of every account that the site posts to.

An account of many owners (2010 for each project, 2100 for each expert) is one code with a key for each
owner. The ledger knows nobody: an owner is the public id inside the key, such as `expert:<uuid>:payable`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum

from marketplace.i18n import gettext as _


class Kind(StrEnum):
    """Assets and expenses grow by debits, the others by credits. A memo lies off the balance sheet."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"
    EXPENSE = "expense"
    MEMO = "memo"


@dataclass(frozen=True)
class Account:
    """An account, in any currency. A `hot` one keeps its balance in 16 rows, so many can post at once."""

    code: str
    key: str
    hot: bool = False

    @property
    def kind(self) -> Kind:
        return _KINDS[self.code[0]]

    @property
    def name(self) -> str:
        return name_of(self.code)


_KINDS = {
    "1": Kind.ASSET,
    "2": Kind.LIABILITY,
    "3": Kind.EQUITY,
    "4": Kind.REVENUE,
    "5": Kind.EXPENSE,
    "6": Kind.EXPENSE,
    "9": Kind.MEMO,
}


def name_of(code: str) -> str:
    """The account's name in the reader's language. KeyError when the chart has no such code."""
    return {
        "1010": _("Bank, operating"),
        "1020": _("Bank, client money"),
        "1100": _("Stripe balance"),
        "1130": _("Stripe reserves"),
        "1150": _("Payouts in transit"),
        "1160": _("Top-ups in transit"),
        "1200": _("Owed by clients"),
        "1210": _("Chargebacks under contest"),
        "1230": _("Input tax"),
        "1290": _("Currency clearing"),
        "2010": _("Client funds, free"),
        "2015": _("Client funds, set aside for a chargeback"),
        "2020": _("Client funds, reserved"),
        "2030": _("Unapplied cash"),
        "2040": _("Bank debits on their way"),
        "2100": _("Owed to experts"),
        "2110": _("Transfers in flight"),
        "2120": _("Disputed time"),
        "2300": _("Tax payable"),
        "2310": _("Withholding payable"),
        "2500": _("Refunds payable"),
        "2510": _("Refunds in flight"),
        "2900": _("Suspense"),
        "3000": _("Owner's capital"),
        "4010": _("Client fees"),
        "4040": _("Processing fees recharged"),
        "5010": _("Processing fees"),
        "5020": _("Connect and payout fees"),
        "5030": _("Chargeback fees"),
        "5040": _("Chargeback losses"),
        "5050": _("Bad debts"),
        "5060": _("Bonuses paid by the platform"),
        "5080": _("Rounding"),
        "5090": _("Bank charges"),
        "6010": _("Currency gains and losses, realised"),
        "6020": _("Currency gains and losses, unrealised"),
        "9110": _("Held in connected accounts"),
        "9190": _("Held in connected accounts, contra"),
    }[code]


def bank_operating() -> Account:
    """1010: the operator's own money at the bank."""
    return Account("1010", "bank:operating", hot=True)


def bank_client() -> Account:
    """1020: clients' money at the bank, before it is topped up to Stripe."""
    return Account("1020", "bank:client", hot=True)


def stripe_balance() -> Account:
    """1100: what the platform holds at Stripe, available and pending together."""
    return Account("1100", "stripe:balance", hot=True)


def stripe_reserves() -> Account:
    """1130: what Stripe keeps back of the balance."""
    return Account("1130", "stripe:reserves")


def payouts_in_transit() -> Account:
    """1150: what left Stripe for the operator's bank and has not arrived."""
    return Account("1150", "stripe:payouts_in_transit")


def topups_in_transit() -> Account:
    """1160: what left the bank for the Stripe balance and has not arrived."""
    return Account("1160", "bank:topups_in_transit")


def client_receivable(project: uuid.UUID) -> Account:
    """1200: what a client owes because a payment for the project failed after its money was spent."""
    return Account("1200", f"project:{project}:receivable")


def contested(chargeback: uuid.UUID) -> Account:
    """1210: what a client's bank has taken back of a payment, until it is said who gets it."""
    return Account("1210", f"chargeback:{chargeback}:contested")


def input_tax() -> Account:
    """1230: tax on what others bill us."""
    return Account("1230", "site:input_tax")


def currency_clearing() -> Account:
    """1290: both sides of money that is changed between currencies."""
    return Account("1290", "site:currency_clearing")


def project_funds(project: uuid.UUID) -> Account:
    """2010: a client's money for a project that nothing reserves yet."""
    return Account("2010", f"project:{project}:funds")


def set_aside(project: uuid.UUID) -> Account:
    """2015: a client's money for a project that nothing may take while its payment is contested."""
    return Account("2015", f"project:{project}:set_aside")


def project_reserved(project: uuid.UUID) -> Account:
    """2020: a client's money that contracts of the project hold."""
    return Account("2020", f"project:{project}:reserved")


def unapplied(source: str) -> Account:
    """2030: clients' money that a bank line (`statement_line:<id>`) brought, or that lay on a bank account
    from the beginning, and that nobody has said what it is for."""
    return Account("2030", f"{source}:unapplied")


def debits_under_way(project: uuid.UUID) -> Account:
    """2040: bank debits that Stripe shows and no bank has paid yet, so nobody is credited."""
    return Account("2040", f"project:{project}:under_way")


def expert_payable(person: uuid.UUID) -> Account:
    """2100: approved and not yet released to the expert."""
    return Account("2100", f"expert:{person}:payable")


def expert_in_flight(person: uuid.UUID) -> Account:
    """2110: released, and Stripe has not confirmed or refused the transfer yet."""
    return Account("2110", f"expert:{person}:in_flight")


def disputed(project: uuid.UUID) -> Account:
    """2120: pay and fee of questioned time, until it is said whether the expert or the project gets it."""
    return Account("2120", f"project:{project}:disputed")


def tax_payable() -> Account:
    """2300: tax on our fees."""
    return Account("2300", "site:tax_payable", hot=True)


def withheld(person: uuid.UUID) -> Account:
    """2310: tax kept back from the expert's pay."""
    return Account("2310", f"expert:{person}:withheld")


def client_refunds(project: uuid.UUID) -> Account:
    """2500: unused money of a project that Stripe could not bring back, paid out by hand."""
    return Account("2500", f"project:{project}:refunds")


def refunds_in_flight(project: uuid.UUID) -> Account:
    """2510: released to go back to the client, and Stripe has neither taken nor finally refused it yet."""
    return Account("2510", f"project:{project}:refunds_in_flight")


def suspense() -> Account:
    """2900: what nobody could explain yet."""
    return Account("2900", "site:suspense")


def owner_capital() -> Account:
    """3000: the operator's own money, from which absorbed fees are paid."""
    return Account("3000", "site:capital")


def client_fees() -> Account:
    """4010: the fee that clients pay on approved work."""
    return Account("4010", "site:client_fees", hot=True)


def fees_recharged() -> Account:
    """4040: processing fees that clients bear."""
    return Account("4040", "site:fees_recharged", hot=True)


def processing_costs() -> Account:
    """5010: what Stripe takes for charges."""
    return Account("5010", "site:processing_costs", hot=True)


def connect_costs() -> Account:
    """5020: what Stripe takes for connected accounts and payouts."""
    return Account("5020", "site:connect_costs", hot=True)


def chargeback_fees() -> Account:
    """5030: what Stripe takes for a chargeback."""
    return Account("5030", "site:chargeback_fees")


def chargeback_losses() -> Account:
    """5040: payments that were taken back after they were spent."""
    return Account("5040", "site:chargeback_losses")


def bad_debts() -> Account:
    """5050: what was owed and is written off."""
    return Account("5050", "site:bad_debts")


def platform_bonuses() -> Account:
    """5060: bonuses that the platform pays."""
    return Account("5060", "site:platform_bonuses")


def rounding() -> Account:
    """5080: remainders that no line can carry."""
    return Account("5080", "site:rounding")


def bank_charges() -> Account:
    """5090: what the bank takes."""
    return Account("5090", "site:bank_charges")


def currency_realised() -> Account:
    """6010: gains and losses from money really changed."""
    return Account("6010", "site:currency_realised")


def currency_unrealised() -> Account:
    """6020: gains and losses from revaluing at a month's end."""
    return Account("6020", "site:currency_unrealised")


def expert_held(person: uuid.UUID) -> Account:
    """9110, memo: what Stripe holds for the expert in the connected account."""
    return Account("9110", f"expert:{person}:held")


def held_contra() -> Account:
    """9190, memo: the other side of every 9110."""
    return Account("9190", "site:held_contra", hot=True)
