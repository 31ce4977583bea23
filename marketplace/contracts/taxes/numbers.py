"""Numbers under which businesses are registered for tax: their form and check digits, by country.

Whether a number really is registered only a register says (for the EU that is VIES): finance looks it up.
"""

from __future__ import annotations

from types import ModuleType

from stdnum.au import abn
from stdnum.ca import bn
from stdnum.ch import vat as ch_vat
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.gb import vat as gb_vat
from stdnum.jp import cn
from stdnum.no import mva
from stdnum.nz import ird
from stdnum.sg import uen

from marketplace.contracts.taxes.deciding import EU
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _

_OTHERS: dict[str, ModuleType] = {
    "AU": abn, "CA": bn, "CH": ch_vat, "GB": gb_vat, "JP": cn, "NO": mva, "NZ": ird, "SG": uen,
}  # fmt: skip
# The tax offices call Greece EL.
_PREFIX = {"GR": "EL"}


def checked(country: str, number: str) -> str:
    """The number, compact; of an EU country with its prefix. Raises Invalid with what is wrong.

    Of a country whose form we do not know it is kept as it is written, in capitals.
    """
    try:
        if country in EU:
            return _of_eu(country, number)
        if country in _OTHERS:
            return str(_OTHERS[country].validate(number))
    except ValidationError:
        raise Invalid(
            _("This is not a number of that country: its form or its check digits are wrong."), field="vat_id"
        ) from None
    return "".join(number.split()).upper()


def _of_eu(country: str, number: str) -> str:
    prefix = _PREFIX.get(country, country)
    compact = "".join(each for each in number.upper() if each.isalnum())
    return str(eu_vat.validate(compact if compact.startswith(prefix) else prefix + compact))
