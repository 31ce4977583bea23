"""Hands that click through the hosted pages over HTTP, as a person does: for the demo's history and tests.

Each follows the page's own forms, sends what a browser would, and answers the address where the person
ends up, outside of Local Stripe. `moment` dates the visit (see `Marketplace-Clock`).
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from datetime import datetime
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urlencode, urljoin, urlsplit

ONWARDS = (301, 302, 303, 307)


class Stuck(Exception):
    """The pages did not lead on; `said` is what the page showed."""

    def __init__(self, where: str, status: int, said: str) -> None:
        super().__init__(f"{where} answered {status}: {said}")
        self.where, self.status, self.said = where, status, said


def pay(session_url: str, card: str = "4242424242424242", *, moment: datetime | None = None) -> str:
    """Pay by card. Raises Stuck with the sentence shown when the card is declined."""
    with Visitor(session_url, moment) as visitor:
        return visitor.submit(
            session_url, {"method": "card", "number": card, "expires": "12 / 34", "code": "123"}
        )


def pay_by_debit(
    session_url: str, account_number: str = "000123456789", *, moment: datetime | None = None
) -> str:
    """Agree to a debit of a bank account. Raises Stuck for one that is not a test account."""
    with Visitor(session_url, moment) as visitor:
        return visitor.submit(
            session_url, {"method": "us_bank_account", "account_number": account_number, "agreed": "yes"}
        )


def promise_bank_transfer(session_url: str, *, moment: datetime | None = None) -> str:
    """Choose the bank transfer and say that it was sent."""
    with Visitor(session_url, moment) as visitor:
        return visitor.submit(session_url, {"method": "customer_balance"})


def onboard(
    link_url: str,
    given_name: str = "Ana",
    surname: str = "Silva",
    country: str = "us",
    account_number: str = "000123456789",
    *,
    moment: datetime | None = None,
) -> str:
    """Answer all steps of an onboarding. Answers the return address, or the refresh one of a used link."""
    with Visitor(link_url, moment) as visitor:
        page = visitor.follow(link_url)
        if not visitor.at_home(page):
            return page
        for answers in (
            {"step": "name", "given_name": given_name, "surname": surname, "country": country},
            {"step": "bank", "routing_number": "110000000", "account_number": account_number},
        ):
            visitor.submit(page, answers)
        return visitor.submit(page, {"step": "agreement", "agreed": "yes"})


def dispute(base: str, charge: str, amount: int | None = None, parts: int = 1,
            reason: str = "fraudulent") -> None:  # fmt: skip
    """Have a charge disputed, on the page for it: `amount` in US cents, leaving in one part or two."""
    asked = {"reason": reason, "parts": str(parts)}
    if amount is not None:
        asked["amount"] = f"{amount // 100}.{amount % 100:02d}"
    _press(base, f"/practice/charges/{charge}/disputes", asked)


def decide(base: str, dispute: str, outcome: str) -> None:
    """Decide a dispute as the bank would: `won`, `won_with_fee` or `lost`."""
    _press(base, f"/practice/disputes/{dispute}/decision", {"outcome": outcome})


def fail_debit(base: str, charge: str) -> None:
    """Have a bank debit fail now, also one that had succeeded."""
    _press(base, f"/practice/charges/{charge}/failure", {})


def fail_payout(base: str, payout: str) -> None:
    """Have a payout come back from the bank now, also one that was paid."""
    _press(base, f"/practice/payouts/{payout}/failure", {})


def stop_transfers(base: str, account: str, quietly: bool = False) -> None:
    """Take the transfers capability from an account, `quietly` without any event."""
    _press(base, f"/practice/accounts/{account}/capability", {"quietly": "yes"} if quietly else {})


def allow_transfers(base: str, account: str) -> None:
    """Give it back."""
    _press(base, f"/practice/accounts/{account}/capability", {"state": "on"})


def take_money(base: str, account: str, amount: int) -> None:
    """Take `amount` US cents out of an account, also more than it holds."""
    _press(base, f"/practice/accounts/{account}/debits", {"amount": f"{amount // 100}.{amount % 100:02d}"})


def arm(base: str, kind: str, target: str = "*", times: int | None = 1) -> None:
    """Set a fault's switch (see faults.py) for the next `times`, or (None) until it is cleared."""
    _press(base, "/practice/faults", {"kind": kind, "target": target, "times": str(times or "")})


def clear_faults(base: str) -> None:
    """Clear all switches; what they held back is delivered."""
    _press(base, "/practice/faults/clearing", {})


def armed(base: str) -> list[dict[str, object]]:
    """The switches, the armed ones first: `id`, `kind`, `target`, `left`, `struck` and `detail` of each."""
    found: list[dict[str, object]] = json.loads(_get(base, "/practice/faults.json"))
    return found


def prune_keys(base: str) -> None:
    """Have Stripe forget all idempotency keys now."""
    _press(base, "/practice/keys/pruning", {})


def _press(base: str, path: str, answers: Mapping[str, str]) -> str:
    with Visitor(base) as visitor:
        return visitor.submit(urljoin(base, path), answers)


def rest(base: str, patience: float = 60.0) -> None:
    """Wait until everything that is due by now is done. Raises TimeoutError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while _due(base):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{base} has not done what is due after {patience:.0f} s")
        time.sleep(0.02)


def _due(base: str) -> int:
    return int(json.loads(_get(base, "/healthz"))["due"])


def _get(base: str, path: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    connection.request("GET", path)
    try:
        return connection.getresponse().read()
    finally:
        connection.close()


class Visitor:
    """A person with one connection to Local Stripe."""

    def __init__(self, url: str, moment: datetime | None = None) -> None:
        self._home = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._home, timeout=30)
        self._headers = {"Marketplace-Clock": moment.isoformat()} if moment else {}

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._connection.close()

    def at_home(self, url: str) -> bool:
        return urlsplit(url).netloc == self._home

    def follow(self, url: str) -> str:
        """Open a link. Answers the address of the page it leads to."""
        status, location, said = self._ask("GET", url)
        if status in ONWARDS:
            return urljoin(url, location)
        if status != 200:
            raise Stuck(url, status, said)
        return url

    def submit(self, url: str, answers: Mapping[str, str]) -> str:
        """Send a page's form. Answers the address that follows."""
        status, location, said = self._ask("POST", url, urlencode(answers))
        if status not in ONWARDS:
            raise Stuck(url, status, said)
        return urljoin(url, location)

    def _ask(self, method: str, url: str, body: str | None = None) -> tuple[int, str, str]:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, urlsplit(url).path, body, headers)
        answer = self._connection.getresponse()
        shown = _Words()
        shown.feed(answer.read().decode())
        return answer.status, answer.getheader("Location", ""), " ".join(shown.words)


class _Words(HTMLParser):
    """The words of a page's alarm, or of its main part when there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._all: list[str] = []
        self._alarm: list[str] = []
        self._in_alarm = False

    @property
    def words(self) -> list[str]:
        return self._alarm or self._all

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_alarm = self._in_alarm or any(name == "class" and value in ("alarm", "field__wrong")
                                               for name, value in attrs)  # fmt: skip

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._in_alarm = False

    def handle_data(self, data: str) -> None:
        if data.strip():
            (self._alarm if self._in_alarm else self._all).append(data.strip())
