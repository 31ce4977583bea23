"""Carla's and Ana's world after one paid hour: an object behind every id that an address can carry."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from werkzeug.routing import Rule

from marketplace import alarms, clock, reasons
from marketplace.accounts.factors import enrol_totp
from marketplace.accounts.invitations import invite_member
from marketplace.accounts.legal import change_legal
from marketplace.accounts.models import Delegation, RoleGrant, SecondFactor, SignIn, WebSession
from marketplace.actor import Actor, Role
from marketplace.alarms.models import Alarm
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.approving.away import delegate
from marketplace.contracts.consents.models import Consent
from marketplace.contracts.credit.lines import prepare_line
from marketplace.contracts.credit.models import CreditLine
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.entries import Work, add_entries
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.fees.setting import FeeDraft, first_day, propose_fee
from marketplace.contracts.gaps import TimerGap
from marketplace.contracts.models import Approval, Contract, Offer, TimeEntry, Timesheet
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.rates.proposing import RateDraft, earliest, propose_rate
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.graders import choose_graders
from marketplace.contracts.sittings.models import Sitting
from marketplace.contracts.sittings.taking import begin, hand_in
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes.models import TaxProfile, TaxRate
from marketplace.contracts.taxes.profiles import ProfileDraft, say_where
from marketplace.contracts.taxes.setting import TaxRateDraft, propose_tax_rate
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.contracts.usage.importing import bring_usage
from marketplace.contracts.usage.models import UsageImport
from marketplace.credentials.models import Credential
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.finding.models import Cadence, SavedSearch
from marketplace.gigs.finding.saved import save_search
from marketplace.gigs.finding.search import Search
from marketplace.gigs.models import ExpertProfile, Project
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import write_test
from marketplace.gigs.skill_aliases import set_alias
from marketplace.gigs.states import Kept
from marketplace.home.finance.outlook import next_days
from marketplace.ledger.models import JournalEntry
from marketplace.matching.models import MatchSkillAlias
from marketplace.messages.models import Attachment
from marketplace.messages.sending import send
from marketplace.notifications.models import Notification
from marketplace.payments.chargebacks import recording
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.debts.models import ClientDebt
from marketplace.payments.facts import Bank
from marketplace.payments.invoices.issuing import issue_invoice, open_months
from marketplace.payments.invoices.models import Invoice
from marketplace.payments.lost.models import LostTransfer
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    Funding,
    PayoutBatch,
    PayoutItem,
    Sweep,
    TopUp,
)
from marketplace.payments.refunds.models import Refund
from marketplace.payments.runs import pausing
from marketplace.payments.runs.models import SendingPause
from marketplace.payments.setup.holding import note_banks
from marketplace.payments.setup.models import BankHold
from marketplace.payments.tax.models import BNotice, Remittance, TaxForm, TaxThreshold, UsWork
from marketplace.payments.tax.states import Classification, FormKind, NumberKind, Why
from marketplace.proof import Drift, Proof
from marketplace.reasons.models import Appeal, Statement
from marketplace.reconciliation.joining import line_of
from marketplace.reconciliation.models import (
    BankAccount,
    BankStatement,
    Decision,
    OpenItem,
    StatementFile,
    StatementLine,
    StatementMatch,
)
from marketplace.reconciliation.revaluing.models import ExchangeRate, Revaluation, RevaluationLine
from marketplace.reconciliation.revaluing.rates import (
    ExchangeDraft,
    accept_exchange_rate,
    propose_exchange_rate,
)
from marketplace.reconciliation.states import DecisionKind, Leg
from tests.factories.accounts import a_person, a_sign_in, an_actor, an_organization
from tests.factories.chargebacks import a_dispute, a_move
from tests.factories.contracts import FEE_BPS
from tests.factories.credentials import PDF
from tests.factories.gigs import RADIOLOGY, a_gig, an_application, an_expert
from tests.factories.sittings import ANSWERS, DRAFT
from tests.factories.taxes import SOURCE, registered
from tests.stories import acts
from tests.stories.house import House

HOUR = timedelta(hours=1)
TOKEN = "a-token-that-opens-nothing"
# What a `public_id` names, by the view that takes it, or by the slice where all its views mean the same.
PUBLIC = {
    "accounts.end_session": WebSession,
    "accounts.remove_factor": SecondFactor,
    "credentials": Credential,
    "ledger": JournalEntry,
    "notifications": Notification,
    "reasons.appeal": Appeal,
    "reasons.decision": Statement,
    "reconciliation.bank_account": BankAccount,
    "reconciliation.book": StatementLine,
    "reconciliation.book_opening": BankAccount,
    "reconciliation.bring_account_back": BankAccount,
    "reconciliation.bring_statement_back": BankStatement,
    "reconciliation.revaluation": Revaluation,
    "reconciliation.book_revaluation": Revaluation,
    "reconciliation.decline_revaluation": Revaluation,
    "reconciliation.confirm": StatementMatch,
    "reconciliation.file": StatementFile,
    "reconciliation.line": StatementLine,
    "reconciliation.match_line": StatementLine,
    "reconciliation.match_entry": StatementLine,
    "reconciliation.apply": StatementLine,
    "reconciliation.keep": StatementLine,
    "reconciliation.give_back": StatementLine,
    "reconciliation.confirm_decision": Decision,
    "reconciliation.drop_decision": Decision,
    "reconciliation.hold_client_money": BankAccount,
    "reconciliation.set_account_aside": BankAccount,
    "reconciliation.set_statement_aside": BankStatement,
    "reconciliation.statement": BankStatement,
    "reconciliation.take": OpenItem,
    "reconciliation.take_opening_back": BankAccount,
    "reconciliation.undo": StatementMatch,
}


@dataclass
class World:
    """What happened, and who stands around it."""

    house: House
    rival: Actor
    link: uuid.UUID
    brought: uuid.UUID

    def address(self, rule: Rule) -> dict[str, Any]:
        """The values that the rule's address needs, of Ana's and Carla's own things."""
        return {name: self._value(rule.endpoint, name) for name in rule.arguments}

    def everybody(self) -> dict[str, Actor]:
        """The cast, and the admin of another company."""
        return {
            **{name: getattr(self.house, name) for name in self.house.cast.everyone()},
            "rival": self.rival,
        }

    def _value(self, endpoint: str, name: str) -> Any:
        if (endpoint, name) == ("ledger.code", "code"):
            return "2010"
        if (endpoint, name) == ("gigs.domain", "code"):
            return RADIOLOGY
        if name != "public_id":
            return self._named[name]
        if endpoint in (
            "accounts.person",
            "accounts.reset_factors",
            "accounts.end_role",
            "accounts.mail_claim",
        ):
            return self._named["person_id"]
        if endpoint == "accounts.verify_organization":
            return self._named["organization_id"]
        if endpoint == "accounts.first_admin":
            return self.brought
        kind = PUBLIC.get(endpoint) or PUBLIC[endpoint.partition(".")[0]]
        if kind is SecondFactor:
            # One that is not confirmed yet goes when its owner signs in, as all have done by now.
            mine = sa.select(SignIn.id).filter_by(person_id=self.house.ana.id)
            sign_in = self.house.session.scalars(mine.order_by(SignIn.id)).first()
            assert sign_in is not None
            enrol_totp(self.house.session, self.house.ana, sign_in, signed_in_at=clock.now())
        return self._one(kind)

    @cached_property
    def _named(self) -> dict[str, Any]:
        session, cast = self.house.session, self.house.cast
        contract = session.scalars(sa.select(Contract).filter_by(person_id=self.house.ana.id)).one()
        grant = sa.select(RoleGrant.public_id).filter_by(role=Role.CLIENT_APPROVER)
        ids = {
            "organization_id": cast.lumen.public_id,
            "person_id": cast.person(cast.ana).public_id,
            "sign_in_id": session.scalars(
                sa.select(SignIn.public_id).filter_by(person_id=self.house.ana.id)
            ).first(),
            "grant_id": session.scalars(grant).one(),
            "project_id": contract.project.public_id,
            "gig_id": contract.gig.public_id,
            "application_id": contract.offer.application.public_id,
            "contract_id": contract.public_id,
            "profile": session.get_one(ExpertProfile, contract.person_id).public_id,
            "link_id": self.link,
            "test_id": session.scalars(sa.select(QualificationTest.public_id)).one(),
            "sitting_id": session.scalars(sa.select(Sitting.public_id)).one(),
            "subject_id": contract.public_id,
            "first_id": contract.public_id,
            "attachment_id": session.scalars(sa.select(Attachment.public_id)).one(),
            "alias_id": session.scalars(sa.select(MatchSkillAlias.public_id)).one(),
            "stripe_id": session.scalars(sa.select(ConnectedPayout.stripe_id)).one(),
        }
        kinds = {
            "offer_id": Offer, "timesheet_id": Timesheet, "approval_id": Approval,
            "entry_id": TimeEntry, "dispute_id": TimeDispute, "gap_id": TimerGap,
            "funding_id": Funding, "batch_id": PayoutBatch, "item_id": PayoutItem,
            "search_id": SavedSearch, "sweep_id": Sweep, "sweep": Sweep, "deposit_id": ConnectedPayout,
            "proposal_id": RateProposal, "consent_id": Consent, "import_id": UsageImport,
            "invoice_id": Invoice,
            "entry": JournalEntry,
            "line_id": CreditLine,
            "top_up_id": TopUp,
            "delegation_id": Delegation,
            "adjustment_id": Adjustment,
            "refund_id": Refund,
            "fee_id": FeeChange,
            "rate_id": TaxRate,
            "profile_id": TaxProfile,
            "exchange_id": ExchangeRate,
            "hold_id": BankHold,
            "pause_id": SendingPause,
            "alarm_id": Alarm,
            "chargeback_id": Chargeback,
            "debt_id": ClientDebt,
            "lost_id": LostTransfer,
            "form_id": TaxForm,
            "notice_id": BNotice,
            "work_id": UsWork,
            "threshold_id": TaxThreshold,
            "remittance_id": Remittance,
        }  # fmt: skip
        words = {
            "token": TOKEN, "code": "us_npi", "key": "stripe:balance", "currency": "USD", "month": "2026-11",
            "period": "2026", "year": 2026,
            "which": "platform", "version": "0", "filename": "css/base.css", "name": "nothing.js",
            "mark": "kept", "kind": "contract",
            "day": next_days(self.house.session)[1].isoformat(),
        }  # fmt: skip
        return {**ids, **{name: self._one(kind) for name, kind in kinds.items()}, **words}

    def _one(self, kind: Any) -> Any:
        """The first of its kind; Ana's own where persons have them."""
        query = sa.select(kind.public_id).order_by(kind.id).limit(1)
        ana = self.house.cast.ana.id
        if hasattr(kind, "person_id") and kind not in (Approval, Delegation, UsageImport):
            query = query.where(kind.person_id == ana)
        found = self.house.session.scalars(query).one_or_none()
        assert found is not None, kind
        return found


def made(house: House) -> World:
    """One hour paid and reconciled, a decision appealed, and strangers who have profiles of their own."""
    session, ana = house.session, house.ana
    acts.an_approved_hour(house, ana)
    acts.released_batch(house)
    house.works()
    acts.swept(house)
    house.until(day=9)
    acts.statement_imported(house, house.monday, house.at(9, 12).date())
    house.works()
    _appealed(house, ana)
    acts.profile(house, house.ben)
    save_search(session, ana, "Chest CT", Search(text="chest", rate=100), Cadence.DAILY)
    set_alias(
        session, an_actor(session, a_person(session, "Olu Other", Role.OPERATOR)), "ecg", "cardiography"
    )
    an_expert(session, "Eve Elsewhere")
    rival = a_person(
        session, "Rita Rival", Role.CLIENT_ADMIN, organization=an_organization(session, "Northwind AI")
    )
    a_sign_in(session, rival)
    _second_factor(house, ana)
    _tested(house)
    _written(house)
    _questioned(house)
    _lower_rate(house)
    _other_use(house)
    _adjusted(house)
    _counted(house)
    _invoiced(house)
    delegate(
        session, house.carla, house.cast.lumen.public_id, house.cast.person(house.cast.dev).public_id,
        clock.today("UTC") + timedelta(days=30), clock.today("UTC") + timedelta(days=31),
    )  # fmt: skip
    _alarmed(house)
    _lost(house)
    _lent(house)
    _goes_back(house)
    _signed_tax(house)
    propose_fee(session, house.fin, FeeDraft(first_day(session), 1_500, "A volume discount was agreed."))
    _taxed(house)
    _revalued(house)
    _other_bank(house)
    _contested(house)
    _proposed(house)
    pausing.pause(session, house.fin, None, "The bank rang.")
    link = invite_member(
        session, house.carla, house.cast.lumen.public_id, "new@example.com", Role.CLIENT_APPROVER
    )
    brought = an_organization(session, "Brought In").public_id
    session.commit()
    return World(house, an_actor(session, rival), link.public_id, brought)


def _proposed(house: House) -> None:
    """Fin proposes to undo a match with the bank."""
    match = house.session.scalars(sa.select(StatementMatch).filter_by(leg=Leg.BANK)).first()
    assert match is not None
    made = Decision(
        kind=DecisionKind.UNDO, line=line_of(match), match=match, reason="It was another client's.",
        proposed_by=house.fin.id, proposed_at=clock.now(),
    )  # fmt: skip
    house.session.add(made)
    house.session.commit()


def _taxed(house: House) -> None:
    """Carla says where Lumen is for tax, and Fin proposes a rate."""
    place = ProfileDraft("FR", "", business=True, vat_id="FR40303265045")
    say_where(house.session, house.carla, house.cast.lumen.public_id, place)
    with registered():
        draft = TaxRateDraft("DE", "", "VAT", 1_900, first_day(house.session), "Section 12 of the UStG.")
        propose_tax_rate(house.session, house.fin, draft)


def _revalued(house: House) -> None:
    """Fin writes rates down, of which Gil accepts one, and prepares what a month makes of them."""
    day = clock.today("UTC")
    drafts = (
        ExchangeDraft("EUR", Decimal("1.08"), day, SOURCE),
        ExchangeDraft("GBP", Decimal("1.3"), day, SOURCE),
    )
    euro, _pound = (propose_exchange_rate(house.session, house.fin, each) for each in drafts)
    accept_exchange_rate(house.session, replace(house.gil, second_factor_at=clock.now()), euro.public_id)
    line = RevaluationLine(
        currency="EUR", rate_id=euro.id, position=-1_00, stood_at=-1_06, value=-1_08,
        booked_before=0, amount=-2,
    )  # fmt: skip
    made = Revaluation(
        month=day.replace(day=1), currency="USD", state=OfferState.MADE,
        made_by=house.fin.id, made_at=clock.now(), lines=[line],
    )  # fmt: skip
    house.session.add(made)
    house.session.commit()


def _other_bank(house: House) -> None:
    """Ana's pay goes to another bank account from now on."""
    account = house.session.scalars(sa.select(ConnectedAccount).filter_by(person_id=house.ana.id)).one()
    note_banks(house.session, account, [Bank("another", "USD")])
    house.session.commit()


def _written(house: House) -> None:
    """Ana and Carla write to each other about the contract, and Carla has something for everybody."""
    session, ana, carla = house.session, house.ana, house.carla
    contract = session.scalars(sa.select(Contract).filter_by(person_id=ana.id)).one()
    about, project = ("contract", contract.public_id), ("project", contract.project.public_id)
    send(session, ana, *about, uuid.uuid4(), "Here is the case that I was in doubt about.", [PDF])
    send(session, carla, *about, uuid.uuid4(), "I look at it today.")
    send(session, carla, *project, uuid.uuid4(), "From Monday on the second guideline holds.")


def _questioned(house: House) -> None:
    """Carla questions one of two hours of Ana's next week, whose timer was not heard of for a while."""
    session, ana = house.session, house.ana
    contract = session.scalars(sa.select(Contract).filter_by(person_id=ana.id)).one()
    begun = house.at(8, 9)
    works = [Work(begun, begun + HOUR, "review"), Work(begun + HOUR, begun + 2 * HOUR, "review")]
    session.add(TimerGap(contract_id=contract.id, from_at=begun, to_at=begun + HOUR))
    session.commit()
    sheet = add_entries(session, ana, contract.public_id, works)[0].timesheet
    submit_timesheet(session, ana, sheet.public_id, sheet.version)
    question = Question(sheet.entries[0].public_id, "time_too_long", "A report takes half of that.", 30)
    approve_timesheet(session, house.carla, sheet.public_id, sheet.version, [question])


def _tested(house: House) -> None:
    """Ben takes a test that Ana, who works for the client, may grade."""
    session, carla, lumen = house.session, house.carla, house.cast.lumen.public_id
    test = write_test(session, carla, lumen, DRAFT)
    choose_graders(session, carla, test.public_id, [house.cast.person(house.ana).public_id])
    project = session.scalars(sa.select(Project)).one()
    gig = a_gig(session, carla, project, title="Check chest CT reports", hours_per_week=1, test_id=test.id)
    offer = ask(session, carla, an_application(session, house.ben, gig).public_id, fee_bps=FEE_BPS)
    acts.set_up_with_stripe(house, house.ben)
    sitting = begin(session, house.ben, offer.public_id, house.ben.name)
    hand_in(session, house.ben, sitting.public_id, ANSWERS, 0)


def _lower_rate(house: House) -> None:
    """Carla asks Ana to work for a little less."""
    contract = house.session.scalars(sa.select(Contract).filter_by(person_id=house.ana.id)).one()
    draft = RateDraft(contract.rate - 5_00, earliest(contract), "The second phase is simpler.")
    propose_rate(house.session, house.carla, contract.public_id, draft)


def _other_use(house: House) -> None:
    """Carla asks whoever works to agree to another use of it."""
    contract = house.session.scalars(sa.select(Contract).filter_by(person_id=house.ana.id)).one()
    draft = replace(draft_of(contract.gig), kept_for=Kept.YEARS_10)
    edit_gig(house.session, house.carla, contract.gig.public_id, draft)


def _adjusted(house: House) -> None:
    """Carla asks Ana for a dollar less, out of a bonus that she gives."""
    contract = house.session.scalars(sa.select(Contract).filter_by(person_id=house.ana.id)).one()
    why = "One of the forty cases was counted twice."
    bonus = Draft(Kind.BONUS, 2_00, "outstanding", "All forty cases were read twice.", uuid.uuid4())
    less = Draft(Kind.CORRECTION, -1_00, "counted_twice", why, uuid.uuid4())
    adjust(house.session, house.carla, contract.public_id, bonus)
    adjust(house.session, house.carla, contract.public_id, less)


def _alarmed(house: House) -> None:
    """A proof does not hold, which stops nobody."""
    proof = Proof("V2", "No expired credential counts", lambda _session: ())
    alarms.record(house.session, proof, [Drift("credential of Ana", "expired", "verified")])


def _lost(house: House) -> None:
    """Stripe sent something that nobody here knows."""
    house.session.add(
        LostTransfer(
            stripe_id="tr_lost", amount=150_00, currency="USD", destination="acct_lost",
            transfer_group="item_lost_1", balance_transaction="txn_lost", source_type="card",
            payout_item="lost", made_at=clock.now(), found_at=clock.now(),
        )
    )  # fmt: skip
    house.session.commit()


def _lent(house: House) -> None:
    """An operator would let Carla's company pay later."""
    day = clock.today("UTC")
    lumen = house.cast.lumen.public_id
    prepare_line(house.session, house.cast.opa, lumen, 500_00, day, day + timedelta(days=30), "Pays monthly")


def _counted(house: House) -> None:
    """Carla looks at a file of her tool."""
    contract = house.session.scalars(sa.select(Contract).filter_by(person_id=house.ana.id)).one()
    day = clock.today(contract.time_zone)
    rows = f"contract,date,minutes,items\n{contract.public_id},{day},55,12\nnobody,{day},1,\n"
    bring_usage(house.session, house.carla, "tool.csv", rows.encode())


def _invoiced(house: House) -> None:
    """What Carla's company was charged, on an invoice that she will issue when the month is over."""
    session, carla, lumen = house.session, house.carla, house.cast.lumen
    change_legal(session, carla, lumen.public_id, "Lumen Labs Inc.", "1 Main Street\nNew York", "")
    with clock.at(house.at(60, 12)):
        month = open_months(session, lumen)[0]
        issue_invoice(session, carla, lumen.public_id, month.period.key, month.currency)


def _goes_back(house: House) -> None:
    """A little of the project's money waits to go back, and a little at the bank to go to Stripe."""
    project = house.session.scalars(sa.select(Project)).one()
    now, carla = clock.now(), house.cast.carla.id
    refund = Refund(project=project, amount=1_00, currency="USD", asked_by=carla, prepared_at=now)
    top_up = TopUp(amount=1_00, currency="USD", prepared_by=house.cast.fin.id, prepared_at=now)
    house.session.add_all([refund, top_up])
    house.session.commit()


def _signed_tax(house: House) -> None:
    """Ana signed a W-9 while the site kept forms; the tax office was paid a little, and wrote about her."""
    ana, fin, now = house.cast.ana.id, house.cast.fin.id, clock.now()
    day = clock.today("UTC")
    form = TaxForm(
        person_id=ana, kind=FormKind.W9, name="Ana Silva", classification=Classification.INDIVIDUAL,
        country="US", number_kind=NumberKind.SSN, number="536904399", number_end="4399", details="{}",
        told_by_irs=False, signed_name="Ana Silva", signed_at=now, text_version="w9-2024-03",
    )  # fmt: skip
    notice = BNotice(person_id=ana, received_on=day, note="CP2100A", recorded_by=fin, recorded_at=now)
    stay = UsWork(person_id=ana, from_on=day, until_on=day, rate_bps=3_000, declared_by=ana, declared_at=now)
    paid = Remittance(
        why=Why.BACKUP,
        currency="USD",
        amount=1,
        until_on=day,
        reference="EFT 1",
        prepared_by=fin,
        prepared_at=now,
    )
    house.session.add_all([form, notice, stay, paid])
    house.session.commit()


def _contested(house: House) -> None:
    """A little of the project's payment is with the client's bank."""
    lot = house.session.scalars(sa.select(Funding)).one()
    recording.record(house.session, a_dispute(lot, amount=2_00, moves=(a_move("contested", -2_00, 15_00),)))
    # As if a second one had failed after its money was spent.
    house.session.add(ClientDebt(funding=lot, currency="USD", owed=1_00, since=clock.now()))
    house.session.commit()


def _second_factor(house: House, ana: Actor) -> None:
    """An authenticator app that Ana begins to set up."""
    sign_in = a_sign_in(house.session, house.cast.person(ana))
    enrol_totp(house.session, ana, sign_in.id, signed_in_at=clock.now())


def _appealed(house: House, ana: Actor) -> None:
    session = house.session
    credential = session.scalars(sa.select(Credential).filter_by(person_id=ana.id)).one().public_id
    statement = reasons.state(
        session,
        house.rev,
        person_id=ana.id,
        subject_kind="credential",
        subject_id=credential,
        decision="rejected",
        reason_code="lapsed",
        explanation="The register says that it lapsed.",
        evidence={"Register": "https://board.example/licence/7"},
    ).public_id
    session.commit()
    reasons.appeal(session, ana, statement, "It was renewed last week.")
