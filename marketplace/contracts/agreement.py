"""The signed agreement as a document that both sides keep: its text, the signature, and what came later."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from marketplace.contracts.consents import queries as consents
from marketplace.contracts.models import Contract
from marketplace.contracts.rates import queries as rates
from marketplace.gigs import data_use
from marketplace.i18n import current_locale, day, zoned
from marketplace.i18n import gettext as _
from marketplace.pdf import Column, Document, Heading, Pairs, Paragraph, Part, Table


def document(session: Session, contract: Contract) -> Document:
    """The agreement in full. Its text is that of the signature, in the language in which it was signed."""
    title, *text = contract.offer.terms.split("\n\n")
    return Document(
        title=title,
        language=current_locale(),
        dated=contract.signed_at.astimezone(ZoneInfo(contract.time_zone)).date(),
        parts=[
            *(Paragraph(each) for each in text),
            *_signed(contract),
            *_later_rates(session, contract),
            *_later_uses(session, contract),
        ],
    )


def file_name(contract: Contract) -> str:
    """`agreement-019e7bdb.pdf`: by the contract, so that nobody's name is in a file's name."""
    return f"agreement-{contract.public_id.hex[-8:]}.pdf"


def _signed(contract: Contract) -> Iterator[Part]:
    offer, zone = contract.offer, contract.time_zone
    yield Heading(_("Signatures"))
    yield Pairs(
        [
            (_("For the client"), _("%(client)s, by its offer", client=contract.organization.name)),
            (_("Offered"), zoned(offer.made_at, zone)),
            (_("The expert, by typing their name"), contract.signed_name),
            (_("Signed"), zoned(contract.signed_at, zone)),
            (_("Version of the text"), offer.terms_version),
            (_("Fingerprint of the text (SHA-256)"), contract.terms_sha256.hex()),
        ]
    )


def _later_rates(session: Session, contract: Contract) -> Iterator[Part]:
    agreed = [each for each in rates.history(session, contract).rates if each.proposal is not None]
    if not agreed:
        return
    yield Heading(_("Rates agreed later"))
    yield Table(
        [Column(_("For hours from")), Column(_("Agreed")), Column(_("Rate, an hour"), right=True)],
        [(day(each.from_on), zoned(each.agreed_at, contract.time_zone), str(each.rate)) for each in agreed],
    )


def _later_uses(session: Session, contract: Contract) -> Iterator[Part]:
    signed = contract.offer.data_use_id
    for each in consents.agreed(session, contract):
        if each.statement.id == signed:
            continue
        yield Heading(_("Use of the work, version %(n)s", n=each.statement.version))
        when = zoned(each.from_at, contract.time_zone)
        yield Paragraph(_("For work from %(when)s on. Signed by %(name)s.", when=when, name=each.signed_name))
        yield Pairs([(said.label, said.text) for said in data_use.said(each.statement)])
