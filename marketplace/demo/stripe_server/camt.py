"""The operator's bank statement as camt.053.001.08 (ISO 20022): one statement a banking day.

Made only of what was booked, so that the same range in the same state gives the same bytes.
"""

from __future__ import annotations

from datetime import date
from xml.etree import ElementTree as ET

from marketplace.demo.stripe_server import bank

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def statement(days: list[bank.Day], first: date, last: date) -> bytes:
    """The file for a range of days, UTF-8."""
    document = ET.Element("Document", xmlns=NAMESPACE)
    message = ET.SubElement(document, "BkToCstmrStmt")
    header = ET.SubElement(message, "GrpHdr")
    _text(header, "MsgId", f"HARBOUR-{first:%Y%m%d}-{last:%Y%m%d}")
    _text(header, "CreDtTm", f"{last.isoformat()}T22:00:00+00:00")
    for day in days:
        _day(message, day)
    ET.indent(document)
    written: bytes = ET.tostring(document, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _day(message: ET.Element, day: bank.Day) -> None:
    root = ET.SubElement(message, "Stmt")
    _text(root, "Id", f"{bank.ACCOUNT}-{day.on:%Y%m%d}")
    _text(root, "ElctrncSeqNb", str(day.number))
    _text(root, "CreDtTm", f"{day.on.isoformat()}T22:00:00+00:00")
    span = ET.SubElement(root, "FrToDt")
    _text(span, "FrDtTm", f"{day.on.isoformat()}T00:00:00+00:00")
    _text(span, "ToDtTm", f"{day.on.isoformat()}T23:59:59+00:00")
    _account(root)
    _balance(root, "OPBD", day.opening, day.on)
    _balance(root, "CLBD", day.closing, day.on)
    for number, line in enumerate(day.lines, 1):
        _entry(root, day.on, number, line)


def _account(root: ET.Element) -> None:
    account = ET.SubElement(root, "Acct")
    _text(_down(account, "Id", "Othr"), "Id", bank.ACCOUNT)
    _text(account, "Ccy", bank.CURRENCY.upper())
    _text(ET.SubElement(account, "Ownr"), "Nm", bank.owner())
    servicer = _down(account, "Svcr", "FinInstnId")
    _text(servicer, "BICFI", bank.BIC)
    _text(servicer, "Nm", bank.NAME)


def _balance(root: ET.Element, code: str, amount: int, on: date) -> None:
    balance = ET.SubElement(root, "Bal")
    _text(_down(balance, "Tp", "CdOrPrtry"), "Cd", code)
    _amount(balance, amount)
    _text(balance, "CdtDbtInd", "DBIT" if amount < 0 else "CRDT")
    _text(ET.SubElement(balance, "Dt"), "Dt", on.isoformat())


def _entry(root: ET.Element, on: date, number: int, line: bank.Line) -> None:
    entry = ET.SubElement(root, "Ntry")
    _text(entry, "NtryRef", str(number))
    _amount(entry, line.amount)
    _text(entry, "CdtDbtInd", "DBIT" if line.amount < 0 else "CRDT")
    _text(ET.SubElement(entry, "Sts"), "Cd", "BOOK")
    for name in ("BookgDt", "ValDt"):
        _text(ET.SubElement(entry, name), "Dt", on.isoformat())
    _text(entry, "AcctSvcrRef", line.reference)
    _code(entry, line)
    details = _down(entry, "NtryDtls", "TxDtls")
    references = ET.SubElement(details, "Refs")
    _text(references, "AcctSvcrRef", line.reference)
    _text(references, "EndToEndId", line.end_to_end)
    _amount(details, line.amount)
    _text(details, "CdtDbtInd", "DBIT" if line.amount < 0 else "CRDT")
    _text(ET.SubElement(details, "RmtInf"), "Ustrd", line.text)
    _text(entry, "AddtlNtryInf", line.text)


def _code(entry: ET.Element, line: bank.Line) -> None:
    """The ISO bank transaction code: a received credit transfer, or charges."""
    domain, family, sub = ("ACMT", "MDOP", "CHRG") if line.amount < 0 else ("PMNT", "RCDT", "ESCT")
    node = _down(entry, "BkTxCd", "Domn")
    _text(node, "Cd", domain)
    inner = ET.SubElement(node, "Fmly")
    _text(inner, "Cd", family)
    _text(inner, "SubFmlyCd", sub)


def _amount(parent: ET.Element, amount: int) -> None:
    units, cents = divmod(abs(amount), 100)
    ET.SubElement(parent, "Amt", Ccy=bank.CURRENCY.upper()).text = f"{units}.{cents:02d}"


def _down(parent: ET.Element, *names: str) -> ET.Element:
    for name in names:
        parent = ET.SubElement(parent, name)
    return parent


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text
