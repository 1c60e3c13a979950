"""Phones: what may be written as a person's number, in what form, and why the rest may not."""

import pytest

from syncd.people.phones import NOT_IN_PLAN, Kind, Phone, each, read, same
from syncd.people.unusable import Unusable


def phone(raw: str, *countries: str | None, region: str | None = None, said: Kind | None = None) -> Phone:
    """The number that must be there; the first of `countries` is the contact's, the next the company's."""
    found = read(raw, region=region, countries=guesses(*countries), said=said)
    assert isinstance(found, Phone), found
    return found


def why_not(raw: str, *countries: str | None, region: str | None = None) -> str:
    found = read(raw, region=region, countries=guesses(*countries))
    assert isinstance(found, Unusable), found
    assert not any(c.isdigit() for c in found.why)
    return found.why


def guesses(*countries: str | None) -> list[tuple[str, str | None]]:
    return list(zip(("the contact's", "the company's"), countries, strict=False))


V1 = [
    ("+1 000 000 0000", "stand-in"), ("+33600000000", "stand-in"), ("+1 900 555 0123", "premium"),
    ("+979 123456789", "global"), ("+33 899 70 00 00", "premium"), ("+44 909 879 0000", "premium"),
    ("+881 612345678", "satellite"),
]  # fmt: skip

NO_PERSONS_LINE = [
    # stand-ins
    ("+33 6 66 66 66 66", "stand-in"), ("+1 999 999 9999", "stand-in"), ("+44 7000 000000", "stand-in"),
    ("+49 30 000000", "stand-in"), ("+47 90000000", "stand-in"), ("+1 202 000 0000", "stand-in"),
    ("+44 1234 567890", "stand-in"), ("+1 123 456 7890", "stand-in"), ("+33 1 00 00 00 00", "stand-in"),
    ("+1 012 345 0199", "area code"), ("+1 202 155 0199", "exchange"),
    # dear numbers, companies' numbers, networks
    ("+49 900 1 123456", "premium"), ("+34 803 123 456", "premium"), ("+39 899 123456", "premium"),
    ("+44 845 123 4567", "premium"), ("+49 180 5 123456", "shared-cost"), ("+33 8 20 12 34 56", "shared-cost"),
    ("+61 1300 123 456", "shared-cost"), ("+44 3069 990123", "UAN"), ("+44 7623 123456", "pager"),
    ("+44 800 123 4567", "toll-free"), ("+1 800 555 0199", "toll-free"), ("+800 12345678", "global"),
    ("+808 12345678", "global"), ("+870 773123456", "global"), ("+882 16 12345", "global"),
    ("+883 510012345", "global"), ("+49 11833", "short code"),
]  # fmt: skip

V2 = ["+49 301", "+44 1111", "+1 555 0143"]


@pytest.mark.parametrize(("raw", "why"), V1)
def test_v1_what_reaches_no_person_is_no_value(raw: str, why: str) -> None:
    assert why in why_not(raw)


@pytest.mark.parametrize(("raw", "why"), NO_PERSONS_LINE)
def test_v1_neighbours(raw: str, why: str) -> None:
    assert why in why_not(raw)


@pytest.mark.parametrize(
    ("raw", "country"), [("0899 70 00 00", "FR"), ("0909 879 0000", "GB"), ("(900) 555-0123", "US")]
)
def test_v1_in_national_form(raw: str, country: str) -> None:
    assert "premium" in why_not(raw, country)
    assert "premium" in why_not(raw, region=country)


@pytest.mark.parametrize("raw", V2)
def test_v2_a_number_without_its_area_code_is_no_value(raw: str) -> None:
    assert "without its area code" in why_not(raw)


@pytest.mark.parametrize(
    "raw",
    ["+44 20 7946", "+33 6 39 98", "+33 6 39 98 00 14 99", "+1 202 555 0144 99", "+49 110", "+44 20", "+999 5550144"],
)
def test_v2_neighbours(raw: str) -> None:
    why_not(raw)


@pytest.mark.parametrize("raw", ["", " ", "+", "-", "call me", "n/a", "12", "123", "5" * 500, "+44 " * 50])
def test_what_is_no_number_is_no_value(raw: str) -> None:
    why_not(raw)
    why_not(raw, "France")


def test_a_short_line_on_a_small_island_is_a_number() -> None:
    assert phone("+500 22555").region == "FK"


@pytest.mark.parametrize(
    ("raw", "kind", "region"),
    [
        ("+447700900000", Kind.MOBILE, "GB"), ("+44 7700 900999", Kind.MOBILE, "GB"),
        ("+33 6 39 98 00 00", Kind.MOBILE, "FR"), ("+44 1632 960123", Kind.FIXED, "GB"),
        ("+44 115 496 0123", Kind.FIXED, "GB"), ("+353 20 910 0123", Kind.FIXED, "IE"),
    ],
)  # fmt: skip
def test_ranges_reserved_for_fiction_are_usable_and_say_so(raw: str, kind: Kind, region: str) -> None:
    found = phone(raw)
    assert (found.kind, found.region, found.remarks) == (kind, region, (NOT_IN_PLAN,))


@pytest.mark.parametrize("raw", ["+44 20 7946 0000", "+33 1 99 00 00 00", "+1 202-555-0100", "+61 491 570 156"])
def test_other_fictitious_numbers_are_in_the_plan(raw: str) -> None:
    assert phone(raw).remarks == ()


def test_a_number_missing_from_the_plan_has_a_remark_and_no_kind() -> None:
    found = phone("+1 911 555 0123")
    assert (found.kind, found.remarks) == (None, (NOT_IN_PLAN,))


V3 = [("06 39 98 00 14", "United States"), ("06 12 34 56 78", "Germany")]


@pytest.mark.parametrize(("raw", "country"), V3)
def test_v3_a_number_of_another_country_than_the_guessed_one_is_no_value(raw: str, country: str) -> None:
    assert why_not(raw, country) == (
        f"without a country code, and no number of the contact's country ({'US' if country != 'Germany' else 'DE'})"
    )


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        ("06 12 34 56 78", "Italy"), ("06 12 34 56 78", "GB"), ("06.12.34.56.78", "Germany"),
        ("06-12-34-56-78", "Allemagne"), ("07 61 23 45 67", "Switzerland"), ("07 61 23 45 67", "Italy"),
        ("07700 900123", "France"), ("0612345678", "United States"), ("(212) 555-0123", "France"),
        ("020 7946 0123", "US"), ("555 0143", "US"), ("1 911 555 0123", "US"),
        ("06 39 98 00 14", "Germany"), ("123", "France"),
    ],
)  # fmt: skip
def test_v3_neighbours(raw: str, country: str) -> None:
    assert "no number of the contact's country" in why_not(raw, country)


@pytest.mark.parametrize(
    ("raw", "country", "e164"),
    [
        ("06 12 34 56 78", "France", "+33612345678"), ("0612345678", "fr", "+33612345678"),
        ("06 39 98 01 23", "France", "+33639980123"), ("07700 900123", "United Kingdom", "+447700900123"),
        ("020 7946 0123", "UK", "+442079460123"), ("0207 946 0123", "GB", "+442079460123"),
        ("(212) 555-0123", "USA", "+12125550123"), ("212.555.0123", "U.S.", "+12125550123"),
        ("1-212-555-0123", "US", "+12125550123"), ("030 23125 123", "Deutschland", "+493023125123"),
        ("447700900123", "GB", "+447700900123"), ("442079460123", "GB", "+442079460123"),
        ("491711234567", "DE", "+491711234567"), ("011 44 20 7946 0123", "US", "+442079460123"),
    ],
)  # fmt: skip
def test_a_guessed_country_is_used_where_the_number_is_valid_there_and_said(raw: str, country: str, e164: str) -> None:
    found = phone(raw, country)
    assert found.e164 == e164
    assert found.remarks[0].startswith("read with the contact's country (")


def test_the_contacts_country_goes_before_the_companys() -> None:
    assert phone("06 12 34 56 78", "Germany", "France").remarks == ("read with the company's country (FR)",)
    assert phone("0171 1234567", "Germany", "Austria").e164 == "+491711234567"
    assert phone("06 12 34 56 78", None, "France").e164 == "+33612345678"
    assert why_not("06 12 34 56 78", "US", "DE").endswith("the contact's country (US) or the company's country (DE)")


@pytest.mark.parametrize("countries", [(), (None,), ("Atlantis",), ("n/a", "")])
def test_without_a_country_a_national_number_is_no_value(countries: tuple[str | None, ...]) -> None:
    assert why_not("06 12 34 56 78", *countries) == "no country code, and no country is known"


def test_the_vendors_region_goes_before_guesses_and_needs_no_validity() -> None:
    assert phone("07700 900123", "France", region="GB").e164 == "+447700900123"
    assert phone("06 12 34 56 78", region="DE").remarks == ()
    assert "without its area code" in why_not("555 0143", region="US")
    assert phone("+33 6 39 98 00 14", "US", region="GB").region == "FR"


@pytest.mark.parametrize(
    ("raw", "e164", "extension"),
    [
        ("+1 202-555-0144 ext. 12", "+12025550144", "12"), ("+44 20 7946 0123 x201", "+442079460123", "201"),
        ("+44 20 7946 0123 extension 201", "+442079460123", "201"), ("tel:+442079460123;ext=7", "+442079460123", "7"),
        ("+33 1 99 00 12 34 poste 12", "+33199001234", "12"), ("+49 30 23125123 Durchwahl 12", "+493023125123", "12"),
        ("+44 20 7946 0123 #9", "+442079460123", "9"), ("+1 202 555 0144 x12/x13", "+12025550144", "12"),
        ("+44 20 7946 0123 ext", "+442079460123", ""), ("+44 20 7946 0123", "+442079460123", ""),
    ],
)  # fmt: skip
def test_v4_an_extension_is_kept_apart(raw: str, e164: str, extension: str) -> None:
    found = phone(raw)
    assert (found.e164, found.extension) == (e164, extension)


def test_v4_an_extension_of_a_national_number() -> None:
    assert phone("020 7946 0123 x5", "GB").written("e164") == "+442079460123 ext. 5"


def test_v4_an_extension_is_written_in_each_form() -> None:
    found = phone("+44 20 7946 0123 x201")
    assert found.written("e164") == "+442079460123 ext. 201"
    assert found.written("international") == "+44 20 7946 0123 ext. 201"
    assert found.written("national") == "020 7946 0123 ext. 201"
    for form in ("e164", "international"):
        assert phone(found.written(form)) == found


def test_a_number_without_extension_in_each_form() -> None:
    found = phone("+12025550144")
    forms = found.written("e164"), found.written("international"), found.written("national")
    assert forms == ("+12025550144", "+1 202-555-0144", "(202) 555-0144")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("+33 1 99 00 12 34", Kind.FIXED), ("+33 6 12 34 56 78", Kind.MOBILE), ("+1 202-555-0144", Kind.EITHER),
        ("+44 56 1234 5678", Kind.VOIP), ("+44 20 7946 0123", Kind.FIXED), ("+44 70 1234 5678", None),
    ],
)  # fmt: skip
def test_v6_the_kind_is_the_numbering_plans(raw: str, kind: Kind | None) -> None:
    assert phone(raw).kind is kind


def test_v6_the_vendors_word_goes_before_the_plan() -> None:
    assert phone("+1 202-555-0144", said=Kind.MOBILE) == phone("+1 202 555 0144", said=Kind.MOBILE)
    assert phone("+1 202-555-0144", said=Kind.MOBILE).kind is Kind.MOBILE
    assert phone("+1 202-555-0144", said=Kind.MOBILE).remarks == ()
    assert phone("+44 20 7946 0123", said=Kind.MOBILE).remarks == ("called mobile, but fixed in the numbering plan",)
    assert phone("+44 20 7946 0123", said=Kind.MOBILE).kind is Kind.MOBILE


def test_a_personal_number_is_usable_and_says_what_it_is() -> None:
    assert phone("+44 70 1234 5678").remarks == ("a personal number, which is forwarded to another line",)


@pytest.mark.parametrize(
    ("one", "other", "countries"),
    [
        ("+447700900000", "07700 900000", ["United Kingdom"]), ("+447700900000", "07700 900000", []),
        ("+447700900000", "07700 900000", ["US", None]), ("+447700900000", "447700900000", []),
        ("+447700900000", "+44 (0)7700 900000", []), ("+33639980123", "0033639980123", []),
        ("+33639980123", "06.39.98.01.23", []), ("+12025550144", "(202) 555-0144", ["US"]),
        ("+12025550144", "1-202-555-0144", []), ("020 7946 0123", "0207 946 0123", ["GB"]),
        ("+12025550144 ext. 12", "(202) 555-0144 x12", []), ("+390612345678", "06 1234 5678", []),
        ("call me", " call me ", []), ("12 345", "12345", []),
    ],
)  # fmt: skip
def test_v10_the_same_number_in_other_words(one: str, other: str, countries: list[str | None]) -> None:
    assert same(one, other, countries=countries) is same(other, one, countries=countries) is True


@pytest.mark.parametrize(
    ("one", "other", "countries"),
    [
        ("+447700900000", "07700 900001", ["GB"]), ("+447700900000", "+337700900000", []),
        ("+33639980123", "+33639980124", []), ("+12025550144 ext. 12", "+12025550144", []),
        ("+12025550144 ext. 12", "+12025550144 ext. 13", []), ("none", "-", []), ("+447700900000", "", []),
        ("06 12 34 56 78", "+49612345679", ["FR"]), ("+33639980123", "call me", []), ("x" * 10**6 + "1", "1", []),
    ],
)  # fmt: skip
def test_v10_another_number(one: str, other: str, countries: list[str | None]) -> None:
    assert same(one, other, countries=countries) is same(other, one, countries=countries) is False


@pytest.mark.parametrize(
    "raw",
    [
        "+44 (0)20 7946 0123", "(+44) 20 7946 0123", "tel:+44-20-7946-0123", "Tel.: +44 20 7946 0123",
        "\uff0b44 20 7946 0123", "\uff0b\uff14\uff14 20 7946 0123", "\u202a+44 20 7946 0123\u202c",
        "+44\u00a020\u00a07946\u00a00123", "+44 20 7946\u20110123", "0044 20 7946 0123", "00 44 (0)20 7946 0123",
        "Phone 1: +44 20 7946 0123", "+44 20 7946 0123 (office)", "++44 20 7946 0123", "+44.20.7946.0123",
    ],
)  # fmt: skip
def test_v11_an_international_number_in_the_forms_that_people_use(raw: str) -> None:
    assert phone(raw).e164 == "+442079460123"


@pytest.mark.parametrize("raw", ["0011 44 20 7946 0123", "001 911 555 0123", "00 20 7946", "0000000000"])
def test_two_zeros_before_no_number_are_no_international_prefix(raw: str) -> None:
    why_not(raw)


TWO = [
    "+44 20 7946 0123 / +44 7700 900123", "+442079460123/+447700900123", "+44 20 7946 0123; +44 7700 900123",
    "+44 20 7946 0123, +44 7700 900123", "+44 20 7946 0123 or +44 7700 900123", "+44 20 7946 0123\n+44 7700 900123",
    "+442079460123 +447700900123", "+44 20 7946 0123 ou +44 7700 900123", "+44 20 7946 0123 | +44 7700 900123",
]  # fmt: skip


@pytest.mark.parametrize("raw", TWO)
def test_v11_two_numbers_in_one_text_are_no_value_but_each_is(raw: str) -> None:
    assert why_not(raw) == "more than one number in one text"
    assert [phone(piece).e164 for piece in each(raw)] == ["+442079460123", "+447700900123"]


@pytest.mark.parametrize(
    "raw", ["030/12 34 56 78", "+44 20 7946 0123 x12/x13", "+44 20 7946 0123, ext. 12", "+44 20 7946 0123", "", "none"]
)
def test_one_number_is_left_whole(raw: str) -> None:
    assert each(raw) == (raw,)


def test_a_fax_is_no_phone() -> None:
    assert why_not("Fax: +44 20 7946 0123") == "a fax number"
    assert each("Tel +44 20 7946 0123; Fax +44 20 7946 0124") == ("Tel +44 20 7946 0123",)
