"""camt.053 files as a bank would send them, in any version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Entry:
    """One booking; `amount` in cents, signed."""

    amount: int
    text: str = "STRIPE TRANSFER"
    ref: str = ""
    end_to_end: str = "NOTPROVIDED"
    status: str = "BOOK"
    reversal: bool = False
    parts: Sequence[int] = ()
    creditor_ref: str = ""
    payer: str = ""
    payer_account: str = ""


@dataclass(frozen=True)
class Statement:
    """A day's statement. The closing balance is what the lines make of the opening one, unless said."""

    on: date
    opening: int | None
    entries: Sequence[Entry] = field(default=())
    closing: int | None = None
    account: str = "440600012345"
    currency: str = "USD"

    @property
    def closes(self) -> int | None:
        if self.opening is None or self.closing is not None:
            return self.closing
        return self.opening + sum(e.amount for e in self.entries if e.status == "BOOK")


def document(*statements: Statement, version: str = "08", message: str = "1") -> bytes:
    """The file. Another `message` makes other bytes with the same contents."""
    inside = "".join(_statement(each, version) for each in statements)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{message}</MsgId></GrpHdr>{inside}</BkToCstmrStmt></Document>"
    ).encode()


def _statement(statement: Statement, version: str) -> str:
    balances = _balance(statement, "OPBD", statement.opening) + _balance(statement, "CLBD", statement.closes)
    entries = "".join(_entry(statement, each, version) for each in statement.entries)
    return (
        f"<Stmt><Id>S-{statement.on}</Id><Acct><Id><Othr><Id>{statement.account}</Id></Othr></Id>"
        f"<Ccy>{statement.currency}</Ccy></Acct>{balances}{entries}</Stmt>"
    )


def _balance(statement: Statement, code: str, amount: int | None) -> str:
    if amount is None:
        return ""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(statement, amount)}"
        f"<Dt><Dt>{statement.on}</Dt></Dt></Bal>"
    )


def _entry(statement: Statement, entry: Entry, version: str) -> str:
    status = entry.status if version < "04" else f"<Cd>{entry.status}</Cd>"
    reference = f"<AcctSvcrRef>{entry.ref}</AcctSvcrRef>" if entry.ref else ""
    details = "".join(
        f"<TxDtls><Refs><EndToEndId>{entry.end_to_end}</EndToEndId></Refs>{_amount(statement, part)}"
        f"{_payer(entry)}<RmtInf><Ustrd>{escape(entry.text)}</Ustrd>{_structured(entry)}</RmtInf></TxDtls>"
        for part in entry.parts or (entry.amount,)
    )
    shown = -entry.amount if entry.reversal else entry.amount
    return (
        f"<Ntry>{_amount(statement, shown)}<RvslInd>{str(entry.reversal).lower()}</RvslInd>"
        f"<Sts>{status}</Sts>"
        f"<BookgDt><Dt>{statement.on}</Dt></BookgDt>{reference}<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def _payer(entry: Entry) -> str:
    if not entry.payer:
        return ""
    account = (
        f"<DbtrAcct><Id><IBAN>{entry.payer_account}</IBAN></Id></DbtrAcct>" if entry.payer_account else ""
    )
    return f"<RltdPties><Dbtr><Pty><Nm>{escape(entry.payer)}</Nm></Pty></Dbtr>{account}</RltdPties>"


def _structured(entry: Entry) -> str:
    if not entry.creditor_ref:
        return ""
    return f"<Strd><CdtrRefInf><Ref>{entry.creditor_ref}</Ref></CdtrRefInf></Strd>"


def _amount(statement: Statement, amount: int) -> str:
    said = Decimal(abs(amount)).scaleb(-2)
    side = "DBIT" if amount < 0 else "CRDT"
    return f'<Amt Ccy="{statement.currency}">{said}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
