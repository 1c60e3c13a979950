"""Names that are nobody's, and names of people that look like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.people import fillers
from syncd.people.text import tidy


@pytest.mark.parametrize(
    ("first", "last"),
    [
        *(
            ("Test", "Test"),
            ("test", "TEST"),
            ("Test", "User"),
            ("Test1", "Test2"),
            ("Demo", "Contact"),
            ("Foo", "Bar"),
        ),
        *(("Not", "Available"), ("Not", "Provided"), ("First", "Last"), ("Name", "Surname"), ("Hello", "World")),
        *(
            ("aaa", "aaa"),
            ("New", "Lead"),
            ("HR", "Department"),
            ("LinkedIn", "Member"),
            ("Ada", "N.N."),
            ("Ada", "#N/A"),
        ),
        *(("Prueba", "Prueba"), ("Essai", "Test"), ("тест", "тест"), ("测试", "测试"), ("Ada", "None Given")),
        *(("Unknown", "Unknown"), ("-", "-"), (".", "."), ("--", "__"), ("N/A", "N/A")),
        *(("n.a.", "n.a."), ("NA", "NA")),
        *(("xxx", "xxx"), ("XXX", "Xxxx"), ("x", "x"), ("asdf", "asdf"), ("qwerty", "asdfgh"), ("aaaa", "bbbb")),
        *(("None", "None"), ("null", "null"), ("undefined", "undefined"), ("[not provided]", "[not provided]")),
        *(("ada@acme.example", "ada@acme.example"), ("ada@acme", "Lovelace"), ("Ada", "ada.example@acme.example")),
        *(("+33 6 39 98 00 14", "Martin"), ("Jean", "06 39 98 00 14"), ("123", "456"), ("0", "0"), ("Jean", "4")),
        *(("https://acme.example", "Martin"), ("Jean", "www.acme.example"), ("Jean", "acme.com")),
        *(("First Name", "Last Name"), ("Firstname", "Lastname"), ("FIRST_NAME", "LAST_NAME"), ("Prénom", "Nom")),
        *(("Vorname", "Nachname"), ("Nombre", "Apellido"), ("Nome", "Cognome"), ("Voornaam", "Achternaam")),
        *(
            ("{{first_name}}", "{{last_name}}"),
            ("%FIRSTNAME%", "%LASTNAME%"),
            ("*|FNAME|*", "*|LNAME|*"),
            ("<name>", "x"),
        ),
        *(
            ("Sales", "Team"),
            (None, "Sales Team"),
            (None, "Info"),
            ("Info", None),
            ("Customer", "Service"),
            (None, "Admin"),
        ),
        *(
            ("Accounts", "Payable"),
            ("Help", "Desk"),
            ("No", "Reply"),
            (None, "Test"),
            ("Unknown", None),
            (None, "[Unknown]"),
        ),
        *(
            ("Inconnu", "Inconnu"),
            ("Unbekannt", "Unbekannt"),
            ("Desconocido", "Desconocida"),
            ("неизвестно", "неизвестно"),
        ),
        *(("Ada", "[not provided]"), ("Ada", "-"), ("Ada", "n/a"), ("Ada", "Unknown")),
        *(("Ada", "???"), ("Ada", "LNU")),
        *(("Deleted", "User"), ("Do not use", "Ada"), ("Anonymous", "User"), ("Ada", "xxxx")),
        ("Ada", "no last name"),
    ],
)
def test_q4_fillers_are_no_names(first: str | None, last: str | None) -> None:
    assert fillers.why_not(tidy(first), tidy(last))
    assert None in fillers.clean(first, last)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        *(("Ada", "Test"), ("Zach", "Test"), ("Test", "Alder"), ("Jennifer", "Null"), ("Li", "Na"), ("Na", "Li")),
        *(
            ("Ada", "Example"),
            ("Noor", "No"),
            ("Ada", "User"),
            ("Demo", "Papadaki"),
            ("Info", "Alder"),
            ("Abc", "Alder"),
        ),
        *(("A", "B"), ("D.", "Dvorak"), ("Jean-Luc", "Martin"), ("X", "Alder"), ("Malcolm", "X"), ("小龙", "李")),
        *(
            ("Bo", "Xu"),
            ("Xxavier", "Alder"),
            ("Émilie", "D'Amico"),
            ("O", "Quill"),
            ("Ng", "Ng"),
            ("Martin", "Martin"),
        ),
        *(
            ("Ann", "St. John"),
            ("Jo", "van de Li"),
            ("Nan", "Alder"),
            ("Will", "Person"),
            ("Guest", "Alder"),
            ("Ada", "Sales"),
        ),
        *(("Known", "Unknowns"), ("Jean (Bob)", "Martin"), ("Ada", "Wert"), ("Azer", "Aliyev"), ("Bill 2", "Alder")),
        *((None, "Alder"), ("Ada", None), (None, None), ("Mr", "Alder"), ("Иван", "Петров"), ("Ada", "Testa")),
    ],
)
def test_q4_people_who_are_called_so_stay(first: str | None, last: str | None) -> None:
    assert fillers.why_not(first, last) is None
    assert fillers.clean(first, last) == (first, last)


@pytest.mark.parametrize(
    "full", ["Test Test", "Unknown Unknown", "- -", "N/A N/A", "N/A", "ada@acme.example", "Sales Team"]
)
def test_q4_full_names_that_are_fillers(full: str) -> None:
    assert fillers.why_not(None, None, full)


@pytest.mark.parametrize("full", ["Ada Test", "Zach Test", "Li Na", "Ada", "小龙 李", "", None])
def test_q4_full_names_of_people(full: str | None) -> None:
    assert fillers.why_not(None, None, full) is None


def test_the_full_name_does_not_count_beside_the_others() -> None:
    assert fillers.why_not("Ada", "Alder", "Test Test") is None


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        ("Test", "Test", "the name is a placeholder"),
        ("Ada", "-", "the last name holds no letter"),
        ("Unknown", "Alder", "the first name is a placeholder"),
        ("ada@acme.example", "ada@acme.example", "the first name is a mail address"),
        ("Ada", "+33 6 39 98 00 14", "the last name is a number"),
        ("www.acme.example", "Alder", "the first name is a web address"),
    ],
)
def test_the_reason_names_no_name(first: str, last: str, why: str) -> None:
    assert fillers.why_not(first, last) == why


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (("Ada", "[not provided]"), ("Ada", None)),
        (("n/a", "Alder"), (None, "Alder")),
        (("Test", "Test"), (None, None)),
        (("Test", "[not provided]"), (None, None)),
        (("Test", "Alder"), ("Test", "Alder")),
        ((None, "Sales Team"), (None, None)),
    ],
)
def test_only_the_parts_that_are_fillers_are_dropped(
    given: tuple[str | None, str | None], kept: tuple[str | None, str | None]
) -> None:
    assert fillers.clean(*given) == kept


@given(st.text() | st.none(), st.text() | st.none(), st.text() | st.none())
def test_cleaning_never_fails_and_leaves_nothing_to_clean(
    first: str | None, last: str | None, full: str | None
) -> None:
    kept = fillers.clean(tidy(first), tidy(last))
    assert fillers.clean(*kept) == kept
    assert fillers.why_not(*kept) is None
    fillers.why_not(first, last, full)
