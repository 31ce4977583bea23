"""Bank statements coming in: once by file, once by line, and accepted only when they add up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import audit, clock, money, text
from marketplace.actor import FINANCE, Actor
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments import wires
from marketplace.reconciliation import formats, holding, joining, sql
from marketplace.reconciliation.formats.shapes import ReadStatement, line_keys
from marketplace.reconciliation.models import (
    BankAccount,
    BankStatement,
    StatementContent,
    StatementFile,
    StatementLine,
)
from marketplace.reconciliation.states import GONE, LineState, StatementState

IMPORT_LOCK = 700_702


@dataclass(frozen=True)
class Imported:
    """The file, whether its very bytes were here before, and how many lines were new or already here."""

    file: StatementFile
    again: bool
    new: int
    known: int


@dataclass(frozen=True)
class _Arriving:
    """A statement with its account, the key of each of its lines, and the positions of those that are new."""

    account: BankAccount
    read: ReadStatement
    keys: list[str]
    new: list[int]


def alone(session: Session) -> None:
    """Take the lock under which statements come in and are set aside, one person at a time."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(IMPORT_LOCK)))


@use_case
def import_statement(
    session: Session, actor: Actor, name: str, data: bytes, *, new_account: bool = False
) -> Imported:
    """Take in a file. Lines that are here already are not doubled; the same bytes change nothing at all,
    unless what they had brought was set aside.

    A statement that does not add up is taken in too, and says what is wrong. Raises Invalid when the file
    is no statement of a known format, is of an account that was set aside, or is of one that no earlier file
    was of and `new_account` does not say that this is meant.
    """
    actor.require(*FINANCE)
    alone(session)
    joining.alone(session)
    digest = hashlib.sha256(data).digest()
    form, statements = formats.read(data)
    _only_known(session, statements, new_account)
    known = session.scalar(sa.select(StatementFile).filter_by(sha256=digest, superseded=False))
    if known is not None:
        if not _was_set_aside(session, known):
            return Imported(known, True, 0, known.new_lines + known.known_lines)
        known.superseded = True
        session.flush()
    arriving = _sorted_out(session, statements)
    lines, new = sum(len(a.read.lines) for a in arriving), sum(len(a.new) for a in arriving)
    file = _file(session, actor, name, digest, form, new, lines - new)
    for each in arriving:
        wrong = _contradicted(session, each)
        _add(session, file, each)
        for statement in wrong:
            _replace(session, actor, statement)
    for account in {each.account for each in arriving}:
        check_continuity(session, account)
    audit.record(session, actor, "imported", "statement_file", file.public_id, new=new, known=lines - new)
    return Imported(file, False, new, lines - new)


def check_continuity(session: Session, account: BankAccount) -> None:
    """Let each statement of the account be accepted, or not, by what stands before it now."""
    session.flush()
    before: list[BankStatement] = []
    for statement in _in_order(session, account):
        ended = [each for each in before if each.to_on <= statement.from_on]
        # A day may have several statements, and a month's overlaps its days': any that ended last will do.
        last = [*ended[-1:], *[each for each in ended if each.to_on < statement.from_on][-1:]]
        if last and statement.opening not in {each.closing for each in last}:
            statement.state, statement.problems = StatementState.GAP, [_gap(account, last[0], statement)]
        else:
            statement.state, statement.problems = StatementState.ACCEPTED, []
        before.append(statement)
        before.sort(key=lambda each: (each.to_on, each.id))
    session.flush()


def _sorted_out(session: Session, statements: Sequence[ReadStatement]) -> list[_Arriving]:
    """Each statement with those of its lines that are in no earlier file, nor earlier in this one."""
    arriving = []
    here: dict[int, set[str]] = {}
    for read in statements:
        account, keys = _account(session, read), line_keys(read.lines)
        known = here.setdefault(account.id, set())
        known |= _known(session, account, keys)
        arriving.append(_Arriving(account, read, keys, [n for n, key in enumerate(keys) if key not in known]))
        known |= set(keys)
    return arriving


def _only_known(session: Session, statements: Sequence[ReadStatement], new_account: bool) -> None:
    """Somebody else's statement must not come in by mistake."""
    named = {(each.account, each.currency) for each in statements if each.account}
    accounts = session.scalars(sa.select(BankAccount)).all()
    aside = sorted(named & {(each.number, each.currency) for each in accounts if each.set_aside_at})
    if aside:
        said = _(
            "Account …%(mask)s was set aside. Bring it back first, on its own page.", mask=aside[0][0][-4:]
        )
        raise Invalid(said, field="file")
    known = {(each.number, each.currency) for each in accounts if not each.set_aside_at}
    strange = sorted(named - known)
    if strange and known and not new_account:
        said = _(
            "This file is of account %(number)s in %(currency)s, and no earlier file was. If the account is "
            "yours, choose the file again and say so below.",
            number=strange[0][0],
            currency=strange[0][1],
        )
        raise Invalid(said, field="file")


def _was_set_aside(session: Session, file: StatementFile) -> bool:
    """Was something that came with this file set aside?"""
    aside = sa.select(BankStatement.id).filter_by(file_id=file.id, state=StatementState.SET_ASIDE)
    return session.scalar(aside.limit(1)) is not None


def _account(session: Session, statement: ReadStatement) -> BankAccount:
    if not statement.account:
        raise Invalid(_("A statement in this file does not name its account."), field="file")
    try:
        money.exponent(statement.currency)
    except ValueError:
        code = statement.currency or "?"
        raise Invalid(_("The currency %(code)s is not known here.", code=code), field="file") from None
    session.execute(
        insert(BankAccount)
        .values(
            public_id=new_id(),
            number=statement.account,
            currency=statement.currency,
            opened_at=clock.now(),
            client_money=_is_clients(statement),
        )
        .on_conflict_do_nothing()
    )
    return session.scalars(
        sa.select(BankAccount).filter_by(number=statement.account, currency=statement.currency)
    ).one()


def _is_clients(statement: ReadStatement) -> bool:
    ours = wires.account_for(statement.currency)
    return ours is not None and ours.number == statement.account.replace(" ", "")


def _known(session: Session, account: BankAccount, keys: list[str]) -> set[str]:
    return set(session.scalars(sa.select(StatementLine.line_key).where(*_standing(account.id, keys))))


def _standing(account_id: int, keys: list[str]) -> tuple[sa.ColumnElement[bool], ...]:
    """Is a StatementLine one of these, and not set aside?"""
    return (
        StatementLine.bank_account_id == account_id,
        sql.among(StatementLine.line_key, keys),
        StatementLine.state != LineState.SET_ASIDE,
    )


def _file(
    session: Session, actor: Actor, name: str, digest: bytes, form: str, new: int, known: int
) -> StatementFile:
    file = StatementFile(
        sha256=digest,
        name=text.line(name)[:200],
        format=form,
        new_lines=new,
        known_lines=known,
        imported_by=actor.id,
        imported_at=clock.now(),
    )
    session.add(file)
    session.flush()
    return file


def _add(session: Session, file: StatementFile, arriving: _Arriving) -> None:
    """The statement with its new lines, unless it brings nothing that an earlier one did not say."""
    read = arriving.read
    problems = _problems(read)
    said = (read.opening, read.closing, problems)
    older = _same_days(session, arriving)
    if not arriving.new and any((s.opening, s.closing, s.problems) == said for s in older):
        return
    statement = BankStatement(
        file_id=file.id,
        bank_account_id=arriving.account.id,
        number=read.number,
        opening=read.opening,
        closing=read.closing,
        from_on=read.from_on,
        to_on=read.to_on,
        state=StatementState.CONTRADICTS if problems else StatementState.ACCEPTED,
        problems=problems,
    )
    session.add(statement)
    session.flush()
    _add_lines(session, statement, arriving)


def _add_lines(session: Session, statement: BankStatement, arriving: _Arriving) -> None:
    """The new lines, and that the statement holds these and the ones that were here before."""
    rows = [
        {
            "public_id": new_id(),
            "statement_id": statement.id,
            "bank_account_id": statement.bank_account_id,
            "line_key": arriving.keys[number],
            "state": LineState.IMPORTED,
            **vars(arriving.read.lines[number]),
        }
        for number in arriving.new
    ]
    if rows:
        session.execute(sa.insert(StatementLine), rows)
    held = sa.select(sa.literal(statement.id), StatementLine.id).where(
        *_standing(statement.bank_account_id, arriving.keys)
    )
    session.execute(sa.insert(StatementContent).from_select(["statement_id", "line_id"], held))


def _contradicted(session: Session, arriving: _Arriving) -> list[BankStatement]:
    """Earlier statements of these days that did not add up, when this one does."""
    if _problems(arriving.read):
        return []
    return [each for each in _same_days(session, arriving) if each.state == StatementState.CONTRADICTS]


def _replace(session: Session, actor: Actor, wrong: BankStatement) -> None:
    """What only the wrong one said counts no more; it stays, and says so, while a line of that is matched."""
    lines = holding.only_here(session, wrong)
    if holding.first_matched(session, lines) is None:
        holding.leave(session, actor, lines)
        wrong.state = StatementState.REPLACED
        session.flush()


def _same_days(session: Session, arriving: _Arriving) -> Sequence[BankStatement]:
    return session.scalars(
        sa.select(BankStatement).where(
            BankStatement.bank_account_id == arriving.account.id,
            BankStatement.from_on == arriving.read.from_on,
            BankStatement.to_on == arriving.read.to_on,
            BankStatement.state.not_in(GONE),
        )
    ).all()


def _in_order(session: Session, account: BankAccount) -> Sequence[BankStatement]:
    return session.scalars(
        sa.select(BankStatement)
        .where(
            BankStatement.bank_account_id == account.id,
            BankStatement.state.in_((StatementState.ACCEPTED, StatementState.GAP)),
        )
        .order_by(BankStatement.from_on, BankStatement.to_on, BankStatement.id)
    ).all()


def _problems(read: ReadStatement) -> list[str]:
    """Sentences about all that is wrong with it."""
    return [*read.problems, *_contradictions(read)]


def _contradictions(read: ReadStatement) -> list[str]:
    """Sentences about why the statement does not prove its own closing balance."""
    if read.opening is None or read.closing is None:
        return [_("It states no opening or no closing balance, so nothing can be held against it.")]
    found = read.opening + sum(line.amount for line in read.lines)
    if found == read.closing:
        return []
    return [
        _(
            "Opening balance and lines make %(found)s, but the closing balance says %(closing)s.",
            found=Money(found, read.currency),
            closing=Money(read.closing, read.currency),
        )
    ]


def _gap(account: BankAccount, before: BankStatement, statement: BankStatement) -> str:
    return _(
        "It opens with %(opening)s, but the one before closed with %(closing)s. Import what lies between.",
        opening=Money(statement.opening or 0, account.currency),
        closing=Money(before.closing or 0, account.currency),
    )
