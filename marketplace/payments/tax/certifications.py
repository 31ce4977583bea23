"""What is certified under penalties of perjury, word by word and by version.

A version is never edited: what somebody signed has to be readable as they signed it. New words get a new
version, and `CURRENT` names it. The words are those of the forms themselves, in English, because a
translation is not what the forms certify (Form W-9, Rev. March 2024, part II; Form W-8BEN, Rev. October
2021, part III).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marketplace.payments.tax.states import FormKind

TEXTS: Mapping[str, Sequence[str]] = {
    "w9-2024-03": (
        "Under penalties of perjury, I certify that:",
        "1. The number shown on this form is my correct taxpayer identification number (or I am waiting for "
        "a number to be issued to me); and",
        "2. I am not subject to backup withholding because (a) I am exempt from backup withholding, or (b) I "
        "have not been notified by the Internal Revenue Service (IRS) that I am subject to backup "
        "withholding as a result of a failure to report all interest or dividends, or (c) the IRS has "
        "notified me that I am no longer subject to backup withholding (crossed out if you ticked above that "
        "the IRS has notified you); and",
        "3. I am a U.S. citizen or other U.S. person (defined in the instructions of the form); and",
        "4. The FATCA code(s) entered on this form (if any) indicating that I am exempt from FATCA reporting "
        "is correct.",
    ),
    "w8ben-2021-10": (
        "Under penalties of perjury, I declare that I have examined the information on this form and to the "
        "best of my knowledge and belief it is true, correct, and complete. I further certify under "
        "penalties of perjury that:",
        "I am the individual that is the beneficial owner (or am authorized to sign for the individual that "
        "is the beneficial owner) of all the income or proceeds to which this form relates or am using this "
        "form to document myself for chapter 4 purposes;",
        "The person named on line 1 of this form is not a U.S. person;",
        "This form relates to: (a) income not effectively connected with the conduct of a trade or business "
        "in the United States; (b) income effectively connected with the conduct of a trade or business in "
        "the United States but is not subject to tax under an applicable income tax treaty; (c) the "
        "partner’s share of a partnership’s effectively connected taxable income; or (d) the partner’s "
        "amount realized from the transfer of a partnership interest subject to withholding under section "
        "1446(f);",
        "The person named on line 1 of this form is a resident of the treaty country listed on line 9 of the "
        "form (if any) within the meaning of the income tax treaty between the United States and that "
        "country; and",
        "For broker transactions or barter exchanges, the beneficial owner is an exempt foreign person as "
        "defined in the instructions.",
        "Furthermore, I authorize this form to be provided to any withholding agent that has control, "
        "receipt, or custody of the income of which I am the beneficial owner or any withholding agent that "
        "can disburse or make payments of the income of which I am the beneficial owner. I agree that I will "
        "submit a new form within 30 days if any certification made on this form becomes incorrect.",
        "I certify that I have the capacity to sign for the person identified on line 1 of this form.",
    ),
}
CURRENT: Mapping[FormKind, str] = {FormKind.W9: "w9-2024-03", FormKind.W8BEN: "w8ben-2021-10"}


def current(kind: FormKind) -> Sequence[str]:
    """The paragraphs that whoever hands in such a form signs today."""
    return TEXTS[CURRENT[kind]]
