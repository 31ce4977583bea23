"""ISO 20022 camt.053, the end-of-day statement, in every version, told by its namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.reconciliation.formats.shapes import ReadLine, ReadStatement, minor_units

NAMESPACE = re.compile(rb"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.\d\d")
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
BOOKED = "BOOK"


def recognises(data: bytes) -> bool:
    """Does the document declare the namespace of a camt.053?"""
    return NAMESPACE.search(data[:4096]) is not None


def read(data: bytes) -> Sequence[ReadStatement]:
    """Every statement in the file. Raises Invalid when it is not well-formed or holds none."""
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, LookupError, ValueError):
        # A name of an encoding that nobody knows is a LookupError, one that is not read here a ValueError.
        raise Invalid(_("This file is damaged: it cannot be read to its end."), field="file") from None
    try:
        found = [_statement(node) for node in root.findall("{*}BkToCstmrStmt/{*}Stmt")]
    except ValueError as error:
        said = _("A date in this file cannot be read: “%(what)s”.", what=str(error))
        raise Invalid(said, field="file") from None
    if not found:
        raise Invalid(_("This file holds no statement."), field="file")
    return found


def _statement(node: Element) -> ReadStatement:
    problems: list[str] = []
    currency = _text(node, "Acct/Ccy") or _currency_inside(node)
    opening, opened = _balance(node, OPENING, currency, problems)
    closing, closed = _balance(node, CLOSING, currency, problems)
    lines = list(_lines(node, currency, problems))
    days = [day for entry in node.findall("{*}Ntry") if (day := _day(entry, "BookgDt"))]
    first = _day(node, "FrToDt/FrDtTm") or opened or min(days, default=closed)
    last = closed or _day(node, "FrToDt/ToDtTm") or max(days, default=first)
    if first is None or last is None:
        raise Invalid(_("A statement in this file has no dates."), field="file")
    return ReadStatement(
        account=_text(node, "Acct/Id/IBAN") or _text(node, "Acct/Id/Othr/Id"),
        currency=currency,
        number=_text(node, "Id"),
        opening=opening,
        closing=closing,
        from_on=min(first, last),
        to_on=last,
        lines=lines,
        problems=problems,
    )


def _balance(
    node: Element, codes: Sequence[str], currency: str, problems: list[str]
) -> tuple[int | None, date | None]:
    """The first balance of one of the codes, signed, with its day."""
    for balance in node.findall("{*}Bal"):
        if _text(balance, "Tp/CdOrPrtry/Cd") not in codes:
            continue
        stated, amount = _currency(balance), _text(balance, "Amt")
        if stated != currency:
            problems.append(
                _("A balance is in %(other)s, the account in %(own)s.", other=stated, own=currency)
            )
            continue
        try:
            return _signed(balance, minor_units(amount, currency)), _day(balance, "Dt")
        except ValueError:
            problems.append(_("The balance “%(amount)s” is not an amount.", amount=amount))
    return None, None


def _lines(node: Element, currency: str, problems: list[str]) -> Iterator[ReadLine]:
    """Booked entries only; what is pending is not money yet."""
    for number, entry in enumerate(node.findall("{*}Ntry"), 1):
        status = _text(entry, "Sts/Cd") or _text(entry, "Sts")
        if status not in ("", BOOKED):
            continue
        try:
            yield from _entry(entry, currency)
        except ValueError as error:
            problems.append(_("Line %(number)d cannot be read: “%(what)s”.", number=number, what=str(error)))


def _entry(entry: Element, currency: str) -> Iterator[ReadLine]:
    """One line, or one for each detail of a batch whose details add up to the entry."""
    stated = _currency(entry)
    if stated != currency:
        raise ValueError(stated)
    amount = minor_units(_text(entry, "Amt"), currency)
    details = entry.findall("{*}NtryDtls/{*}TxDtls")
    parts = [_detail_amount(detail, currency) for detail in details]
    if len(details) > 1 and sum(part or 0 for part in parts) == amount and None not in parts:
        for detail, part in zip(details, parts, strict=True):
            yield _line(entry, [detail], _signed(entry, part or 0), currency)
    else:
        yield _line(entry, details, _signed(entry, amount), currency)


def _line(entry: Element, details: list[Element], amount: int, currency: str) -> ReadLine:
    booked = _day(entry, "BookgDt") or _day(entry, "ValDt")
    if booked is None:
        raise ValueError(_("no date"))
    only = details[0] if len(details) == 1 else None
    end_to_end = _text(only, "Refs/EndToEndId") if only is not None else ""
    return ReadLine(
        booked_on=booked,
        value_on=_day(entry, "ValDt"),
        amount=amount,
        currency=currency,
        bank_ref=_text(entry, "AcctSvcrRef"),
        end_to_end="" if end_to_end == "NOTPROVIDED" else end_to_end,
        counterparty=_counterparty(only, amount) if only is not None else "",
        text=_said(entry, details),
        creditor_ref=_text(only, "RmtInf/Strd/CdtrRefInf/Ref") if only is not None else "",
        counterparty_account=_counterparty_account(only, amount) if only is not None else "",
    )


def _said(entry: Element, details: list[Element]) -> str:
    """What the line says, each part once: remittance, structured references, the bank's own words."""
    parts = [
        found.text
        for detail in details
        for path in ("{*}RmtInf/{*}Ustrd", "{*}RmtInf/{*}Strd/{*}CdtrRefInf/{*}Ref", "{*}AddtlTxInf")
        for found in detail.findall(path)
    ]
    parts.append(_text(entry, "AddtlNtryInf"))
    return " ".join(dict.fromkeys(" ".join(part.split()) for part in parts if part))


def _counterparty(detail: Element, amount: int) -> str:
    """Who paid, or who was paid. From version 08 the name lies one level deeper."""
    side = "Dbtr" if amount > 0 else "Cdtr"
    return _text(detail, f"RltdPties/{side}/Nm") or _text(detail, f"RltdPties/{side}/Pty/Nm")


def _counterparty_account(detail: Element, amount: int) -> str:
    """The account that it came from, or went to, where the bank says so."""
    side = "DbtrAcct" if amount > 0 else "CdtrAcct"
    return _text(detail, f"RltdPties/{side}/Id/IBAN") or _text(detail, f"RltdPties/{side}/Id/Othr/Id")


def _detail_amount(detail: Element, currency: str) -> int | None:
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        found = detail.find("/".join("{*}" + name for name in path.split("/")))
        if found is not None and found.get("Ccy") == currency:
            return minor_units(found.text or "", currency)
    return None


def _signed(node: Element, amount: int) -> int:
    """Negative for a debit; a reversal turns the sign round."""
    debit = _text(node, "CdtDbtInd") == "DBIT"
    reversal = _text(node, "RvslInd").lower() in ("true", "1")
    return -amount if debit != reversal else amount


def _currency(node: Element) -> str:
    amount = node.find("{*}Amt")
    return "" if amount is None else amount.get("Ccy", "")


def _currency_inside(node: Element) -> str:
    """The currency of an account that does not state its own: that of its first amount."""
    return next((amount.get("Ccy", "") for amount in node.iter() if amount.get("Ccy")), "")


def _day(node: Element, path: str) -> date | None:
    """A day written as Dt or DtTm below the path, or at it. Raises ValueError with what is no day."""
    text = _text(node, f"{path}/Dt") or _text(node, f"{path}/DtTm") or _text(node, path)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise ValueError(text) from None


def _text(node: Element, path: str) -> str:
    found = node.find("/".join("{*}" + name for name in path.split("/")))
    return "" if found is None or found.text is None else found.text.strip()
