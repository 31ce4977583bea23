"""Check digits, with numbers that were published, good and bad."""

import pytest

from marketplace.credentials import checks, types


@pytest.mark.parametrize("number", ["1234567893", "1245319599", "1000000020", "1000000160", "2000000002"])
def test_npi_that_are_well_formed(number: str) -> None:
    assert checks.npi(number, "") is None


@pytest.mark.parametrize(
    "number",
    [
        "1234567890",
        "1234567894",
        "1000000021",
        "1000000161",
        "3234567893",
        "123456789",
        "12345678933",
        "12345678AB",
        "",
    ],
)
def test_npi_that_are_not(number: str) -> None:
    assert checks.npi(number, "")


@pytest.mark.parametrize("number", ["0000-0002-1825-0097", "0000-0002-1694-233X", "000000021694233X"])
def test_orcid_that_are_well_formed(number: str) -> None:
    assert checks.orcid(number, "") is None


@pytest.mark.parametrize(
    "number", ["0000-0002-1825-0098", "0000-0002-1694-2330", "0000-0002-1825-009", "X000"]
)
def test_orcid_that_are_not(number: str) -> None:
    assert checks.orcid(number, "")


@pytest.mark.parametrize(("number", "name"), [("AB1234563", "Ana Brown"), ("A91234563", "Ana Expert")])
def test_dea_that_are_well_formed(number: str, name: str) -> None:
    assert checks.dea(number, name) is None


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("AB1234564", "Ana Brown"),
        ("AB1234563", "Ana Stone"),
        ("A11234563", "Ana Brown"),
        ("AB123456", "Ana Brown"),
    ],
)
def test_dea_that_are_not(number: str, name: str) -> None:
    assert checks.dea(number, name)


@pytest.mark.parametrize("number", ["A 123456", "036-123456", "ME12345", "12345", "MD.20391"])
def test_licence_numbers_of_many_boards(number: str) -> None:
    assert checks.licence(number, "") is None


@pytest.mark.parametrize("number", ["", "A", "ABCDEF", "A 123456; DROP", "1" * 30])
def test_what_no_board_issues(number: str) -> None:
    assert checks.licence(number, "")


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "http://example.com", "https://", "https://a@example.com"]
)
def test_addresses_that_are_not_taken(text: str) -> None:
    assert checks.web_address(text, "")


def test_two_ways_to_write_one_number_are_one() -> None:
    licence = types.TYPES["us_medical_license"]
    assert licence.key(licence.normal("a 123-456")) == licence.key(licence.normal("A123456"))


@pytest.mark.parametrize(
    ("number", "shown"), [("1234567893", "••••••7893"), ("A 12", "••12"), ("abc", "••c")]
)
def test_a_mask_tells_little(number: str, shown: str) -> None:
    assert types.mask(number) == shown


@pytest.mark.parametrize("kind", types.ALL, ids=lambda kind: kind.code)
def test_every_type_asks_for_the_name_and_says_where_to_look(kind: types.CredentialType) -> None:
    assert "name" in kind.agree
    assert kind.source
    assert ("expiry" in kind.agree) == kind.expires
