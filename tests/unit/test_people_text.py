"""The one form of names, and folding for comparison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.people import text


@pytest.mark.parametrize(
    ("raw", "tidy", "visible"),
    [
        ("Ada 🎉", "Ada", "Ada 🎉"),
        ("  Ada \t Alder ", "Ada Alder", "Ada Alder"),
        ("Gre\u0301goire", "Grégoire", "Grégoire"),
        ("O`Brien", "O'Brien", "O`Brien"),
        ("A\u200bd\u00ada", "Ada", "Ada"),
        ("A^da\x7f", "Ada", "A^da"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_symbols_are_dropped_from_names_only(raw: str | None, tidy: str | None, visible: str | None) -> None:
    assert text.tidy(raw) == tidy
    assert text.visible(raw) == visible


@pytest.mark.parametrize(
    "spellings",
    [
        ("Müller", "Mueller", "Muller", "MÜLLER", "Mu\u0308ller"),
        ("Ågård", "Aagaard", "Agard"),
        ("Ørsted", "Oersted", "Orsted"),
        ("Straße", "Strasse"),
        ("Łódź", "Lodz"),
        ("Garc\u00eda", "Garcia"),
    ],
)
def test_p7_spellings_fold_to_one(spellings: tuple[str, ...]) -> None:
    assert len({text.fold(one) for one in spellings}) == 1


def test_abbreviations_are_one_word() -> None:
    assert text.words("Acme S.A.") == text.words("Acme S. A.") == text.words("acme SA") == ("acme", "sa")
    assert text.words("Acme A/S") == ("acme", "as")
    assert text.words("Alder & Birch") == ("alder", "and", "birch")


def test_a_list_has_its_reasons_in_it() -> None:
    assert text.listed("\n# why\na b\n# another reason\nc\n") == {"a", "b", "c"}


@given(st.text())
def test_the_short_way_for_plain_text_agrees_with_the_long_one(raw: str) -> None:
    plain = "".join(c for c in raw if c.isascii())
    assert text.tidy(plain) == text.tidy(plain + "\u200b")
    assert text.visible(plain) == text.visible(plain + "\u200b")
