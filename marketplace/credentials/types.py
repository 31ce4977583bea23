"""The table of credential types. To add one: docs/recipes/add-a-credential-type.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from babel.lists import format_list

from marketplace.credentials import checks, jurisdictions
from marketplace.errors import Invalid
from marketplace.i18n import current_locale, lazy
from marketplace.i18n import gettext as _

Check = Callable[[str, str], str | None]


class Ask(StrEnum):
    """Is a document asked for?"""

    NO = "no"
    MAY = "may"
    MUST = "must"


@dataclass(frozen=True)
class CredentialType:
    """One kind of credential and all that is asked of it.

    `number` says what the identifier is called, None when none is collected; `unique` whether two people
    can never share it. `sources` are addresses of primary sources by jurisdiction ('' for all), in which
    `{number}` stands for the identifier. `source_days`: how old a source check may be when it is decided.
    `agree`: the fields that a reviewer must see agree; the name is always among them.
    """

    code: str
    title: str
    issuer: str
    number: str | None
    hint: str
    check: Check
    places: tuple[str, ...] = ()
    expires: bool = True
    document: Ask = Ask.MAY
    unique: bool = True
    folded: bool = True
    source: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    source_days: int = 120
    offered: bool = True
    agree: tuple[str, ...] = ("number", "name", "status", "expiry", "conditions")

    def normal(self, number: str) -> str:
        """The identifier as it is compared and kept: single spaces, upper case where case says nothing."""
        bare = re.sub(r"\s+", " ", number).strip()
        return bare.upper() if self.folded else bare

    @property
    def well_formed_means(self) -> bool:
        """Does passing the check say anything, as it does not for free text or an address?"""
        return self.number is not None and self.check not in (checks.some_text, checks.web_address)

    def place(self, jurisdiction: str | None) -> str | None:
        """The jurisdiction to keep: the only one there is, or the one chosen. Raises Invalid for another."""
        if len(self.places) <= 1:
            return next(iter(self.places), None)
        if jurisdiction not in self.places:
            raise Invalid(_("Choose where it was issued."), field="jurisdiction")
        return jurisdiction

    def key(self, number: str) -> str:
        """What two ways of writing the same identifier have in common."""
        return re.sub(r"[^0-9A-Z]", "", number) if self.folded else number.rstrip("/")

    def source_url(self, jurisdiction: str | None, number: str | None) -> str | None:
        """Where a reviewer looks, or None when only the issuer's name is known."""
        url = self.sources.get(jurisdiction or "", self.sources.get(""))
        return url.replace("{number}", number or "") if url else None


US_STATES = tuple(jurisdictions.STATES)

ALL = (
    CredentialType(
        "us_medical_license",
        lazy("US medical licence"),
        lazy("State medical board"),
        lazy("Licence number"),
        lazy("As printed on your licence."),
        checks.licence,
        places=US_STATES,
        source=lazy("The state medical board; FSMB DocInfo gathers them"),
        sources={"": "https://www.docinfo.org/"},
    ),
    CredentialType(
        "us_npi",
        lazy("National Provider Identifier (NPI)"),
        lazy("CMS, NPPES"),
        lazy("NPI"),
        lazy("Ten digits. It says that you are enumerated, not that you are licensed."),
        checks.npi,
        places=("US",),
        expires=False,
        document=Ask.NO,
        source=lazy("NPPES NPI Registry"),
        sources={"": "https://npiregistry.cms.hhs.gov/provider-view/{number}"},
        source_days=30,
        agree=("number", "name", "status"),
    ),
    CredentialType(
        "us_nurse",
        lazy("US nursing licence"),
        lazy("State board of nursing"),
        lazy("Licence number"),
        lazy("As printed on your licence."),
        checks.licence,
        places=US_STATES,
        source=lazy("Nursys QuickConfirm"),
        sources={"": "https://www.nursys.com/LQC/LQCTerms.aspx"},
    ),
    CredentialType(
        "us_dea",
        lazy("DEA registration"),
        lazy("Drug Enforcement Administration"),
        lazy("DEA number"),
        lazy("Two letters and seven digits. Give it only when a gig asks for it."),
        checks.dea,
        places=("US",),
        source=lazy("DEA Diversion Control Division"),
        sources={"": "https://apps.deadiversion.usdoj.gov/webforms2/spring/validationLogin"},
        offered=False,
    ),
    CredentialType(
        "gb_doctor",
        lazy("UK doctor with a licence to practise"),
        lazy("General Medical Council"),
        lazy("GMC reference number"),
        lazy("Seven digits."),
        checks.seven_digits,
        places=("GB",),
        source=lazy("GMC medical register: look at the licence to practise, not only at the registration"),
        sources={"": "https://www.gmc-uk.org/registrants/{number}"},
    ),
    CredentialType(
        "us_bar",
        lazy("Admission to a US bar"),
        lazy("The court or bar that licenses lawyers in the state"),
        lazy("Bar or attorney number"),
        lazy("As the regulator shows it."),
        checks.licence,
        places=US_STATES,
        source=lazy("The state's own regulator of lawyers, not a trade association"),
        sources={
            "US-CA": "https://apps.calbar.ca.gov/attorney/Licensee/Detail/{number}",
            "US-IL": "https://www.iardc.org/Lawyer/Search",
            "US-MA": "https://www.massbbo.org/s/attorney-lookup",
            "US-NY": "https://iapps.courts.state.ny.us/attorneyservices/search",
            "US-PA": "https://www.padisciplinaryboard.org/for-the-public/find-attorney",
            "US-TX": "https://www.texasbar.com/AM/Template.cfm?Section=Find_A_Lawyer",
        },
    ),
    CredentialType(
        "pe_license",
        lazy("Professional Engineer licence"),
        lazy("State board of engineering"),
        lazy("Licence number"),
        lazy("As printed on your licence."),
        checks.licence,
        places=US_STATES,
        source=lazy("The state board; NCEES lists them"),
        sources={"": "https://ncees.org/state-licensing-boards/"},
    ),
    CredentialType(
        "cfa",
        lazy("CFA charter"),
        lazy("CFA Institute"),
        lazy("CFA Institute ID"),
        lazy("As in your CFA Institute account."),
        checks.some_text,
        document=Ask.NO,
        source=lazy("CFA Institute member directory"),
        sources={"": "https://directory.cfainstitute.org/"},
    ),
    CredentialType(
        "press_card_uk",
        lazy("UK press card"),
        lazy("UK Press Card Authority"),
        lazy("Card number"),
        lazy("As printed on the card."),
        checks.some_text,
        places=("GB",),
        document=Ask.MUST,
        source=lazy("UK Press Card Authority, verification line +44 1430 456543"),
        sources={"": "https://www.ukpresscardauthority.co.uk/"},
        agree=("number", "name", "status", "expiry"),
    ),
    CredentialType(
        "portfolio",
        lazy("Portfolio"),
        lazy("Yourself; a reviewer looks at the work"),
        lazy("Address of your portfolio"),
        lazy("A page that shows your work and your name."),
        checks.web_address,
        expires=False,
        folded=False,
        source=lazy("The portfolio itself"),
        sources={"": "{number}"},
        agree=("name", "status"),
    ),
    CredentialType(
        "degree",
        lazy("Degree"),
        lazy("University"),
        lazy("University, degree and year"),
        lazy("For example: University of Leeds, BA History, 2011."),
        checks.some_text,
        expires=False,
        document=Ask.MUST,
        unique=False,
        folded=False,
        source=lazy("The university, or its clearing house"),
        sources={"": "https://www.studentclearinghouse.org/verify/"},
        agree=("number", "name", "status"),
    ),
    CredentialType(
        "orcid",
        lazy("ORCID iD"),
        lazy("ORCID"),
        lazy("ORCID iD"),
        lazy("Sixteen characters, such as 0000-0002-1825-0097."),
        checks.orcid,
        expires=False,
        document=Ask.NO,
        source=lazy("The ORCID record; an affiliation counts only when the institution added it"),
        sources={"": "https://orcid.org/{number}"},
        agree=("number", "name", "status"),
    ),
    CredentialType(
        "gov_id",
        lazy("Government identity document"),
        lazy("A state"),
        None,
        lazy("We keep that it was seen, not its number."),
        checks.some_text,
        document=Ask.MUST,
        source=lazy("The document itself"),
        agree=("name", "expiry"),
    ),
)
TYPES = {each.code: each for each in ALL}


def find(code: str) -> CredentialType | None:
    """The type called `code`, or None."""
    return TYPES.get(code)


def title(code: str, jurisdiction: str | None = None) -> str:
    """`US medical licence, California`, in the reader's language."""
    known = TYPES.get(code)
    words = str(known.title) if known else code
    if jurisdiction is None or known is None or len(known.places) == 1:
        return words
    return _("%(title)s, %(place)s", title=words, place=jurisdictions.name(jurisdiction))


def mask(number: str) -> str:
    """The identifier for screens: only its last four characters, fewer when it is short."""
    shown = min(4, len(number) // 2)
    return "•" * min(len(number) - shown, 6) + number[len(number) - shown :]


def agreed(field_names: Iterable[str]) -> str:
    """What agreed at a check, in a few words: `number, name and status`."""
    words = {
        "number": _("number"),
        "name": _("name"),
        "status": _("status"),
        "expiry": _("last day"),
        "conditions": _("no conditions"),
    }
    return str(format_list([words[each] for each in words if each in field_names], locale=current_locale()))


def agreement(field_name: str) -> str:
    """What a reviewer ticks, in words."""
    return {
        "number": _("The number is the one that was claimed"),
        "name": _("The name at the source is this person's name"),
        "status": _("The source says that it is active"),
        "expiry": _("The last day of validity is the one written below"),
        "conditions": _("There are no conditions or restrictions"),
    }[field_name]
