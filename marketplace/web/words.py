"""WTForms' own messages in this project's sentences: each says what to write instead."""

from __future__ import annotations

from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext


def sentence(message: str) -> str:
    """Ours for one of WTForms', which fills in the same `%(names)s`; a message that it has not is kept."""
    return _sentences().get(message, message)


def counted(message: str, n: int) -> str:
    """As `sentence`, of a message that WTForms gives in its plural for `n`, which ours tells already."""
    return {
        "Field must be at least %(min)d characters long.": ngettext(
            "Write at least %(n)s character.", "Write at least %(n)s characters.", n
        ),
        "Field cannot be longer than %(max)d characters.": ngettext(
            "Write at most %(n)s character.", "Write at most %(n)s characters.", n
        ),
        "Field must be exactly %(max)d characters long.": ngettext(
            "Write exactly %(n)s character.", "Write exactly %(n)s characters.", n
        ),
        "'%(value)s' are not valid choices for this field.": ngettext(
            "One choice is not on the list. Choose again.",
            "%(n)s choices are not on the list. Choose again.",
            n,
        ),
    }.get(message, message)


def _sentences() -> dict[str, str]:
    day, choose = _("Write a day as year-month-day, such as 2026-05-31."), _("Choose one of the list.")
    number = _("Write a number, such as 12.5.")
    return {
        "Not a valid integer value.": _("Write a whole number, such as 40."),
        "Not a valid decimal value.": number,
        "Not a valid float value.": number,
        "Not a valid date value.": day,
        "Not a valid time value.": _("Write a time as hours and minutes, such as 14:30."),
        "Not a valid datetime value.": _("Write a day and a time, such as 2026-05-31 14:30."),
        "Not a valid week value.": _("Write a week as year and number, such as 2026-W22."),
        "Not a valid choice.": choose,
        "Invalid Choice: could not coerce.": choose,
        "Invalid choice(s): one or more data inputs could not be coerced.": choose,
        "This field is required.": _("Fill this in."),
        "Invalid input.": _("This is not written as it has to be. Look at what is asked for."),
        "Invalid email address.": _("Write an e-mail address, such as name@example.com."),
        "Invalid URL.": _("Write a web address, such as https://example.com."),
        "Invalid UUID.": choose,
        "Field must be equal to %(other_name)s.": _("Write the same in both places."),
        "Field must be between %(min)d and %(max)d characters long.": _(
            "Write between %(min)d and %(max)d characters."
        ),
        "Number must be at least %(min)s.": _("Write a number of at least %(min)s."),
        "Number must be at most %(max)s.": _("Write a number of at most %(max)s."),
        "Number must be between %(min)s and %(max)s.": _("Write a number from %(min)s to %(max)s."),
        "Date must be at least %(min)s.": _("Choose %(min)s or a later day."),
        "Date must be at most %(max)s.": _("Choose %(max)s or an earlier day."),
        "Date must be between %(min)s and %(max)s.": _("Choose a day from %(min)s to %(max)s."),
        "Invalid value, must be one of: %(values)s.": _("Write one of these: %(values)s."),
        "Invalid value, can't be any of: %(values)s.": _("Write something other than %(values)s."),
    }
