"""Countries: one code from whatever a CRM or a vendor holds."""

import subprocess
import sys

import pytest

from syncd.people import countries
from syncd.people.countries import code

V5 = [
    ("UK", "GB"), ("U.S.", "US"), ("The Netherlands", "NL"), ("Allemagne", "DE"), ("Royaume-Uni", "GB"),
    ("Türkiye", "TR"), ("GBR", "GB"), ("DEU", "DE"), ("Korea, Republic of", "KR"),
]  # fmt: skip

NEIGHBOURS = [
    # codes, however they are written
    ("fr", "FR"), (" De ", "DE"), ("usa", "US"), ("U.S.A.", "US"), ("U. S. A.", "US"), ("u.k.", "GB"), ("FRA", "FR"),
    ("nld", "NL"), ("EL", "GR"), ("XK", "XK"), ("AQ", "AQ"), ("NA", "NA"),
    # English names in their several forms
    ("united states of america", "US"), ("United States of America (the)", "US"), ("Great Britain", "GB"),
    ("Korea (the Republic of)", "KR"), ("Republic of Korea", "KR"), ("South Korea", "KR"), ("North Korea", "KP"),
    ("Korea, Democratic People's Republic of", "KP"), ("Netherlands, Kingdom of the", "NL"), ("Turkey", "TR"),
    ("Czech Republic", "CZ"), ("Czechia", "CZ"), ("Russia", "RU"), ("Russian Federation", "RU"), ("Vietnam", "VN"),
    ("Viet Nam", "VN"), ("Bolivia", "BO"), ("Ivory Coast", "CI"), ("Congo", "CG"), ("DR Congo", "CD"),
    ("Democratic Republic of the Congo", "CD"), ("Bosnia & Herzegovina", "BA"), ("St. Lucia", "LC"),
    ("UAE", "AE"), ("United Arab Emirates", "AE"), ("Hong Kong", "HK"), ("Niger", "NE"), ("Nigeria", "NG"),
    ("British Virgin Islands", "VG"), ("Northern Ireland", "GB"), ("Republic of Ireland", "IE"),
    # the usual languages
    ("Deutschland", "DE"), ("ALEMANIA", "DE"), ("Germania", "DE"), ("Duitsland", "DE"), ("Tyskland", "DE"),
    ("Niemcy", "DE"), ("Saksa", "DE"), ("États-Unis", "US"), ("Etats-Unis d'Amérique", "US"), ("EE.UU.", "US"),
    ("Estados Unidos", "US"), ("Stati Uniti", "US"), ("Vereinigte Staaten", "US"), ("Reino Unido", "GB"),
    ("Regno Unito", "GB"), ("Verenigd Koninkrijk", "GB"), ("Vereinigtes Königreich", "GB"), ("Großbritannien", "GB"),
    ("Côte d'Ivoire", "CI"), ("Pays-Bas", "NL"), ("Países Bajos", "NL"), ("Österreich", "AT"), ("Oesterreich", "AT"),
    ("Schweiz", "CH"), ("Svizzera", "CH"), ("España", "ES"), ("Espana", "ES"), ("Türkei", "TR"), ("Turquie", "TR"),
    ("Norge", "NO"), ("Suomi", "FI"), ("Česká republika", "CZ"), ("Россия", "RU"), ("США", "US"), ("日本", "JP"),
    ("中国", "CN"), ("대한민국", "KR"), ("Ελλάδα", "GR"), ("La Réunion", "RE"), ("Irland", "IE"), ("Island", "IS"),
    # a code beside the name
    ("France (FR)", "FR"), ("France (mainland)", "FR"), ("US - United States", "US"), ("GB / United Kingdom", "GB"),
]  # fmt: skip

NONE = [
    None, "", "  ", "-", "n/a", "N.A.", "XX", "ZZZ", "Unknown", "Atlantis", "Europe", "EMEA", "Paris",
    "Atlanta, Georgia", "Paris, France", "Szud\u00e1n", "12", "x" * 500,
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), V5)
def test_v5_a_country_is_read_however_it_is_written(raw: str, expected: str) -> None:
    assert code(raw) == expected


@pytest.mark.parametrize(("raw", "expected"), NEIGHBOURS)
def test_v5_neighbours(raw: str, expected: str) -> None:
    assert code(raw) == expected


@pytest.mark.parametrize("raw", NONE)
def test_what_is_no_country_gives_none(raw: str | None) -> None:
    assert code(raw) is None


def test_every_official_code_and_english_name_is_known() -> None:
    import pycountry  # noqa: PLC0415  # the test below needs a process without it

    for country in pycountry.countries:
        assert code(country.alpha_2) == country.alpha_2
        assert code(country.alpha_3) == country.alpha_2
        assert code(country.name) == country.alpha_2


def test_codes_and_the_most_usual_names_do_not_load_the_table() -> None:
    asked = ["FR", "uk", "U.S.", "USA", "United Kingdom", "The Netherlands", "Deutschland", "France", "n/a", ""]
    script = f"import sys; from syncd.people.countries import code; print([code(x) for x in {asked!r}]); "
    script += "sys.exit('pycountry' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_usual_names_agree_with_the_table() -> None:
    table = countries._all()
    assert {name: of for name, of in countries._usual().items() if table.get(name, of) != of} == {}
