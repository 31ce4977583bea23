"""The one door to Stripe (API 2026-10-28.endive). Nothing else in the project imports its client.

Every method is one call. What comes back is a plain value from `facts`, or an error from `outcomes`. The
client's own retries are off: the states of our rows decide what is tried again, and with which key.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import stripe
from stripe.params import (
    BalanceTransactionListParams,
    ChargeRetrieveParams,
    DisputeListParams,
    DisputeUpdateParams,
    EventListParams,
    PayoutListParams,
    RefundCreateParams,
    RefundListParams,
    RefundRetrieveParams,
    TopupCreateParams,
    TopupListParams,
)
from stripe.params.checkout import SessionCreateParams
from stripe.params.v2.core import AccountCreateParams, AccountLinkCreateParams

from marketplace import clock
from marketplace.i18n import gettext as _
from marketplace.payments import facts, requests
from marketplace.payments.outcomes import (
    BadSignature,
    GatewayBusy,
    GatewayClosed,
    GatewayError,
    GatewayRefused,
    GatewayUnknown,
)
from marketplace.payments.states import Rail
from marketplace.settings import LOCAL_HOSTS, Settings

TIMEOUT_SECONDS = 20
SIGNATURE_TOLERANCE_SECONDS = 300
CLOCK_HEADER = "Marketplace-Clock"
BALANCE_SETTINGS = "/v1/balance_settings"
# Stripe allows 25 calls a second on one endpoint; more are answered with 429.
SECONDS_BETWEEN_CALLS = 0.04

R = TypeVar("R")

log = logging.getLogger(__name__)


class Gateway:
    """Stripe, under one key. Safe to share between threads. `spacing`: seconds from one call to the next of
    the same kind; a local server needs none."""

    def __init__(self, key: str, api_base: str | None, spacing: float | None = None) -> None:
        local = api_base is not None and urlsplit(api_base).hostname in LOCAL_HOSTS
        usual = 0.0 if local else SECONDS_BETWEEN_CALLS
        self.spacing = usual if spacing is None else spacing
        self._stripe = stripe.StripeClient(
            key,
            base_addresses=_everywhere(api_base) if api_base else None,
            max_network_retries=0,
            http_client=_Http(tells_clock=local),
        )

    def breathe(self) -> None:
        """Between the calls of a long run, so that Stripe has no reason to refuse them."""
        time.sleep(self.spacing)

    # Clients' money in

    def make_customer(self, key: str, *, name: str, email: str, metadata: dict[str, str]) -> str:
        """The id of a new customer, who is an organization."""
        made = _ask(
            lambda: self._stripe.v1.customers.create(
                {"name": name, "email": email, "metadata": metadata}, {"idempotency_key": key}
            )
        )
        return _read(made, lambda answer: str(answer["id"]))

    def open_checkout(
        self,
        key: str,
        *,
        customer: str,
        reference: str,
        title: str,
        amount: int,
        currency: str,
        rail: Rail,
        metadata: dict[str, str],
        return_url: str,
        cancel_url: str,
    ) -> facts.Checkout:
        """A hosted payment page for `amount` by one rail, because what it costs depends on the rail."""
        params = cast(
            SessionCreateParams,
            requests.checkout(
                customer=customer, reference=reference, title=title, amount=amount, currency=currency,
                rail=rail, metadata=metadata, return_url=return_url, cancel_url=cancel_url,
            ),
        )  # fmt: skip
        made = _ask(lambda: self._stripe.v1.checkout.sessions.create(params, {"idempotency_key": key}))
        return _read(made, facts.of_checkout)

    def checkout(self, session_id: str) -> facts.Checkout:
        """A session as it stands, with its payment, its charge and what was credited."""
        found = _ask(
            lambda: self._stripe.v1.checkout.sessions.retrieve(
                session_id, {"expand": ["payment_intent.latest_charge.balance_transaction"]}
            )
        )
        return _read(found, facts.of_checkout)

    # Clients' money back

    def send_refund(
        self, key: str, *, charge: str, amount: int, metadata: dict[str, str], instructions_email: str | None
    ) -> facts.Refund:
        """Send part of a charge back by the way it came. Where that is a bank transfer, Stripe asks at
        `instructions_email` for the account."""
        expand = ["balance_transaction", "failure_balance_transaction"]
        params: RefundCreateParams = {
            "charge": charge, "amount": amount, "metadata": metadata, "expand": expand
        }  # fmt: skip
        if instructions_email is not None:
            params["instructions_email"] = instructions_email
        made = _ask(lambda: self._stripe.v1.refunds.create(params, {"idempotency_key": key}))
        return _read(made, facts.of_refund)

    def refund(self, refund: str) -> facts.Refund:
        """A refund as it stands."""
        asked: RefundRetrieveParams = {"expand": ["balance_transaction", "failure_balance_transaction"]}
        return _read(_ask(lambda: self._stripe.v1.refunds.retrieve(refund, asked)), facts.of_refund)

    def refunds(self, charge: str) -> list[facts.Refund]:
        """The refunds of a charge: how an unknown outcome becomes known."""
        expand = ["data.balance_transaction", "data.failure_balance_transaction"]
        asked: RefundListParams = {"charge": charge, "limit": 100, "expand": expand}
        return _every(lambda: self._stripe.v1.refunds.list(asked), facts.of_refund)

    # Clients' money that their banks take back

    def dispute(self, dispute: str) -> facts.Dispute:
        """A chargeback as it stands."""
        return _read(_ask(lambda: self._stripe.v1.disputes.retrieve(dispute)), facts.of_dispute)

    def disputes(self, since: datetime) -> list[facts.Dispute]:
        """Chargebacks opened at or after `since`."""
        asked: DisputeListParams = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        return _every(lambda: self._stripe.v1.disputes.list(asked), facts.of_dispute)

    def send_evidence(self, key: str, dispute: str, *, text: str, metadata: dict[str, str]) -> facts.Dispute:
        """Submit, for good, what we say about a chargeback to the bank that decides it."""
        params: DisputeUpdateParams = {
            "evidence": {"uncategorized_text": text},
            "metadata": metadata,
            "submit": True,
        }
        made = _ask(lambda: self._stripe.v1.disputes.update(dispute, params, {"idempotency_key": key}))
        return _read(made, facts.of_dispute)

    def charge_failure(self, charge: str) -> facts.ChargeFailure | None:
        """How a charge failed after it had been paid; None when it did not."""
        asked: ChargeRetrieveParams = {"expand": ["failure_balance_transaction"]}
        return _read(_ask(lambda: self._stripe.v1.charges.retrieve(charge, asked)), facts.of_charge_failure)

    def payment_failures(self, since: datetime) -> list[facts.BalanceTransaction]:
        """What left our balance, at or after `since`, for charges that failed after they had been paid."""
        asked: BalanceTransactionListParams = {
            "created": {"gte": int(since.timestamp())},
            "limit": 100,
            "type": "payment_failure_refund",
        }
        return _every(lambda: self._stripe.v1.balance_transactions.list(asked), facts.of_balance_transaction)

    # Experts' accounts

    def make_account(
        self, key: str, *, email: str, name: str, country: str, currency: str, metadata: dict[str, str]
    ) -> str:
        """The id of a new connected account that only receives (Accounts v2, recipient)."""
        asked = requests.recipient(
            email=email, name=name, country=country, currency=currency, metadata=metadata
        )
        params = cast(AccountCreateParams, asked)
        made = _ask(lambda: self._stripe.v2.core.accounts.create(params, {"idempotency_key": key}))
        return _read(made, lambda answer: str(answer["id"]))

    def onboarding_url(self, account: str, *, return_url: str, refresh_url: str) -> str:
        """Stripe's own page for the account's holder: opens once, within minutes."""
        asked = requests.onboarding(account, return_url=return_url, refresh_url=refresh_url)
        params = cast(AccountLinkCreateParams, asked)
        made = _ask(lambda: self._stripe.v2.core.account_links.create(params))
        return _read(made, lambda answer: str(answer["url"]))

    def account(self, account: str) -> facts.Account:
        """A connected account as it stands. What is not asked for comes back empty, so it is asked for."""
        found = _ask(
            lambda: self._stripe.v2.core.accounts.retrieve(
                account, {"include": ["configuration.recipient", "future_requirements", "requirements"]}
            )
        )
        return _read(found, facts.of_account)

    def banks(self, account: str) -> tuple[facts.Bank, ...]:
        """Where a connected account is paid out to. Accounts v2 do not say; v1 does."""
        return _read(_ask(lambda: self._stripe.v1.accounts.retrieve(account)), facts.of_banks)

    def schedule(self, account: str) -> facts.Schedule:
        """When a connected account is paid out. The client cannot read all answers about this, so it is
        asked without it."""
        found = _ask(lambda: self._stripe.raw_request("get", BALANCE_SETTINGS, **_as(account)))
        return _read_plain(found.data, facts.of_schedule)

    def set_schedule(self, key: str, account: str, schedule: facts.Schedule) -> facts.Schedule:
        """From now on the account is paid out so. Asking twice does no harm."""
        asked = requests.schedule(schedule)
        found = _ask(
            lambda: self._stripe.raw_request(
                "post", BALANCE_SETTINGS, **asked, idempotency_key=key, **_as(account)
            )
        )
        return _read_plain(found.data, facts.of_schedule)

    # Pay out to experts

    def send_transfer(
        self,
        key: str,
        *,
        amount: int,
        currency: str,
        destination: str,
        group: str,
        source_type: str,
        metadata: dict[str, str],
    ) -> facts.SentTransfer:
        """Move `amount` from one part of our balance to a connected account."""
        made = _ask(
            lambda: self._stripe.v1.transfers.create(
                {
                    "amount": amount,
                    "currency": currency.lower(),
                    "destination": destination,
                    "transfer_group": group,
                    "source_type": source_type,
                    "metadata": metadata,
                },
                {"idempotency_key": key},
            )
        )
        return _read(made, facts.of_transfer)

    def find_transfer(self, group: str, destination: str) -> facts.SentTransfer | None:
        """The transfer of that group, if Stripe has one: how an unknown outcome becomes known."""
        found = _ask(
            lambda: self._stripe.v1.transfers.list(
                {"transfer_group": group, "destination": destination, "limit": 2}
            )
        )
        transfers = _read(found, lambda answer: [facts.of_transfer(each) for each in answer["data"]])
        if len(transfers) > 1:
            raise GatewayUnknown(
                "two_of_one_group", _("Stripe holds two transfers of the group %(group)s.", group=group)
            )
        return transfers[0] if transfers else None

    def transfers(self) -> Iterator[facts.SentTransfer]:
        """Every transfer, the newest first, a page at a time as they are looked at."""
        rows = _ask(lambda: self._stripe.v1.transfers.list({"limit": 100}).auto_paging_iter())
        while (found := _ask(lambda: next(rows, None))) is not None:
            yield _read(found, facts.of_transfer)

    def reversals(self, transfer: str) -> list[facts.Reversal]:
        """What came back of a transfer, the newest first."""
        return _every(
            lambda: self._stripe.v1.transfers.reversals.list(transfer, {"limit": 100}), facts.of_reversal
        )

    def reversals_since(self, since: datetime) -> list[facts.Reversal]:
        """What came back of any transfer at or after `since`."""
        asked: BalanceTransactionListParams = {
            "created": {"gte": int(since.timestamp())},
            "expand": ["data.source"],
            "limit": 100,
            "type": "transfer_refund",
        }
        return _every(
            lambda: self._stripe.v1.balance_transactions.list(asked),
            lambda answer: facts.of_reversal(answer["source"]),
        )

    # Payouts to banks, and balances

    def send_payout(
        self, key: str, *, amount: int, currency: str, source_type: str, metadata: dict[str, str]
    ) -> facts.Payout:
        """Pay from our balance to our own bank account (a manual payout)."""
        made = _ask(
            lambda: self._stripe.v1.payouts.create(
                {
                    "amount": amount,
                    "currency": currency.lower(),
                    "method": "standard",
                    "source_type": source_type,
                    "metadata": metadata,
                },
                {"idempotency_key": key},
            )
        )
        return _read(made, facts.of_payout)

    def payout(self, payout: str, account: str | None = None) -> facts.Payout:
        """A payout of ours, or of a connected account."""
        found = _ask(lambda: self._stripe.v1.payouts.retrieve(payout, None, _as(account)))
        return _read(found, facts.of_payout)

    def payouts(self, since: datetime, account: str | None = None) -> list[facts.Payout]:
        """Payouts made at or after `since`, newest first."""
        asked: PayoutListParams = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        return _every(lambda: self._stripe.v1.payouts.list(asked, _as(account)), facts.of_payout)

    def send_top_up(self, key: str, *, amount: int, currency: str, metadata: dict[str, str]) -> facts.TopUp:
        """Have Stripe take money from our bank into our balance."""
        asked: TopupCreateParams = {"amount": amount, "currency": currency.lower(), "metadata": metadata}
        made = _ask(lambda: self._stripe.v1.topups.create(asked, {"idempotency_key": key}))
        return _read(made, facts.of_top_up)

    def top_up(self, top_up: str) -> facts.TopUp:
        """A top-up of ours."""
        return _read(_ask(lambda: self._stripe.v1.topups.retrieve(top_up)), facts.of_top_up)

    def top_ups(self, since: datetime) -> list[facts.TopUp]:
        """Top-ups made at or after `since`, newest first."""
        asked: TopupListParams = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        return _every(lambda: self._stripe.v1.topups.list(asked), facts.of_top_up)

    def payout_contents(self, payout: str, account: str) -> list[facts.BalanceTransaction]:
        """What an automatic payout of a connected account carries, once Stripe has reconciled it."""
        return _every(
            lambda: self._stripe.v1.balance_transactions.list({"payout": payout, "limit": 100}, _as(account)),
            facts.of_balance_transaction,
        )

    def balance_transactions(
        self, account: str | None = None, *, since: datetime
    ) -> list[facts.BalanceTransaction]:
        """Every movement of our balance, or a connected account's, at or after `since`."""
        return _every(
            lambda: self._stripe.v1.balance_transactions.list(
                {"created": {"gte": int(since.timestamp())}, "limit": 100}, _as(account)
            ),
            facts.of_balance_transaction,
        )

    def balance(self, account: str | None = None) -> facts.Balance:
        """Our balance, or a connected account's, as of now."""
        return _read(_ask(lambda: self._stripe.v1.balance.retrieve(None, _as(account))), facts.of_balance)

    def events(self, since: datetime) -> Iterable[facts.Notice]:
        """What Stripe told, or should have told, since then, newest first, a page at a time. One that cannot
        be read hides no other."""
        asked: EventListParams = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        rows = _ask(lambda: self._stripe.v1.events.list(asked).auto_paging_iter())
        while (found := _ask(lambda: next(rows, None))) is not None:
            try:
                notice = _read(found, facts.of_event)
            except GatewayUnknown:
                log.warning(
                    "An event of the list could not be read", extra={"event": getattr(found, "id", "")}
                )
                continue
            yield notice

    def ask(
        self, method: str, path: str, *, key: str | None = None, account: str | None = None, **params: Any
    ) -> facts.RawAnswer:
        """Stripe's answer as it came, refusals too: for checking what Stripe does, never for moving money."""
        options: dict[str, Any] = {"idempotency_key": key} if key else {}
        try:
            found = self._stripe.raw_request(method, path, **params, **options, **_as(account))
        except stripe.APIConnectionError as error:
            raise GatewayUnknown("no_answer", _("Stripe gave no clear answer.")) from error
        except stripe.StripeError as error:
            refusal = error.json_body if isinstance(error.json_body, dict) else {}
            return facts.RawAnswer(error.http_status or 0, refusal, dict(error.headers or {}))
        return facts.RawAnswer(found.code, dict(found.data), dict(found.headers))


@cache
def connect(settings: Settings) -> Gateway:
    """The gateway of this process. Raises GatewayClosed when no key is set."""
    if settings.stripe_key is None:
        raise GatewayClosed(
            "no_key", _("No Stripe key is set, so no money can move. An operator must set one.")
        )
    return Gateway(settings.stripe_key, settings.stripe_api_base)


def read_event(raw: bytes, signature: str | None, secrets: Iterable[str]) -> facts.Notice:
    """The event in `raw`, when any of `secrets` signed it within five minutes of now.

    Several secrets, because one is being changed. The stamp is the sender's real time, whatever the site's
    clock was set to, and may be off either way. Raises BadSignature.
    """
    if not any(_signed(raw, signature, secret) for secret in secrets):
        raise BadSignature(_("This is not signed by Stripe."))
    stamp = next(int(part[2:]) for part in (signature or "").split(",") if part.startswith("t="))
    if abs(time.time() - stamp) > SIGNATURE_TOLERANCE_SECONDS:
        raise BadSignature(_("This was signed at another time."))
    try:
        return facts.of_event(json.loads(raw))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadSignature(_("This is not an event.")) from error


class _Http(stripe.RequestsClient):
    """Gives up in time. Tells the local Stripe server which moment is being lived, where one is set."""

    def __init__(self, *, tells_clock: bool) -> None:
        super().__init__(timeout=TIMEOUT_SECONDS)
        self._tells_clock = tells_clock

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **kwargs: Any
    ) -> Any:
        moment = clock.overridden() if self._tells_clock else None
        told = {**(headers or {}), CLOCK_HEADER: moment.isoformat()} if moment else headers
        return super().request(method, url, told, post_data, **kwargs)


def _everywhere(base: str) -> Any:
    return {"api": base, "files": base, "connect": base, "meter_events": base}


def _as(account: str | None) -> Any:
    return {"stripe_account": account} if account else {}


def _signed(raw: bytes, signature: str | None, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(raw, signature, secret))
    except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError):
        # The client compares texts, and raises TypeError for a signature that is not ASCII.
        return False


def _ask(call: Callable[[], R]) -> R:
    """Make the call; say in our words what became of it."""
    try:
        return call()
    except stripe.RateLimitError as error:
        raise GatewayBusy("busy", _("Stripe is busy. It will be tried again shortly.")) from error
    except stripe.AuthenticationError as error:
        raise GatewayClosed(
            "no_key", _("Stripe does not accept our key. An operator must set a valid one.")
        ) from error
    except stripe.IdempotencyError as error:
        raise GatewayUnknown("key_used", _("Stripe has seen this request with other contents.")) from error
    except (stripe.APIConnectionError, stripe.APIError) as error:
        # 5xx, 409, a time-out, a cut connection, an answer that is not Stripe's, or a 5xx kept under its key.
        stored = (error.headers or {}).get("Idempotent-Replayed")
        said = _("Stripe gave no clear answer. It will be looked into.")
        raise GatewayUnknown("stored_error" if stored else "no_answer", said) from error
    except stripe.StripeError as error:
        raise _refusal(error) from error


def _refusal(error: stripe.StripeError) -> GatewayError:
    if error.http_status is None or not 400 <= error.http_status < 500 or error.http_status == 409:
        return GatewayUnknown("no_answer", _("Stripe gave no clear answer. It will be looked into."))
    said = (error.user_message or "").strip() or _("Stripe refused without a reason.")
    # The client leaves the code of a 403 inside the answer.
    code = error.code or (error.error.code if error.error else None)
    return GatewayRefused(code or "refused", said)


def _read(answer: stripe.StripeObject, read: Callable[[facts.Answer], R]) -> R:
    return _read_plain(answer, lambda found: read(found.to_dict(for_json=True)))


def _read_plain(answer: Any, read: Callable[[Any], R]) -> R:
    try:
        return read(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GatewayUnknown(
            "garbled", _("Stripe's answer could not be read. It will be looked into.")
        ) from error


def _every(call: Callable[[], Any], read: Callable[[facts.Answer], R]) -> list[R]:
    """All rows of a list, page after page."""
    return _ask(lambda: [_read(each, read) for each in call().auto_paging_iter()])
