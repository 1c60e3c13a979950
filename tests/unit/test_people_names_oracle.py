"""Our verdicts beside those of rigour, the name matcher of OpenSanctions, on some 2,000 pairs of made-up names.

`scripts/names_corpus.py` wrote the corpus. Where the verdicts differ, the kind of pair is listed here with its reason
and the number of pairs: a change of either is seen.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from syncd.people.names import Agreement, Name, compare

CORPUS = Path(__file__).with_name("names_corpus.tsv")
VERDICTS = {
    Agreement.SAME: "agree",
    Agreement.VARIANT: "agree",
    Agreement.NEAR: "partly",
    Agreement.SURNAME_CHANGED: "contradict",
    Agreement.DIFFERENT: "contradict",
    Agreement.UNKNOWN: "unknown",
}

# (kind of pair, rigour's verdict, ours): how many, and why ours stands.
DIFFERENCES = {
    ("nickname", "contradict", "agree"): (66, "short forms in daily use that rigour lacks (Beth, Peggy, Dima)"),
    ("one of two surnames", "partly", "agree"): (130, "a double name is often cut; rigour reports a word left over"),
    ("second name left out", "partly", "agree"): (130, "often left out; rigour reports a word left over"),
    ("particle left out", "partly", "agree"): (64, "particles vouch for nobody; rigour counts them as words"),
    ("surname initial", "contradict", "partly"): (129, "an initial is for a human; rigour reads those of first names"),
    ("spelling", "contradict", "agree"): (12, "Geoffrey and Jeffrey, Neil and Neal, Sean and Shaun, Yusuf and Youssef"),
    ("spelling", "partly", "agree"): (33, "spellings by rule (k and c, h, double letters); rigour measures a distance"),
    ("umlauts typed", "partly", "agree"): (26, "ae, oe, ue and aa are the umlauts; rigour measures a distance"),
    ("translation", "agree", "partly"): (3, "Michael and Miguel: one saint, seldom one person; a human should look"),
    ("translation", "contradict", "partly"): (42, "the same: a human should look"),
    ("typing error", "contradict", "partly"): (30, "two letters exchanged are one error; rigour counts two"),
    ("typing error", "partly", "agree"): (4, "a doubled a is read as the letter å"),
    ("typing error", "partly", "contradict"): (1, "an a in place of a consonant is read as the letter å, too"),
    ("other first name", "agree", "contradict"): (3, "Jing and Ying are two names; rigour reads j and y as one sound"),
    ("other first name", "contradict", "partly"): (3, "Maria and Marta differ by one letter, as a typing error would"),
}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with CORPUS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_every_difference_has_its_reason(rows: list[dict[str, str]]) -> None:
    found = Counter((row["kind"], row["rigour_verdict"], verdict(row)) for row in rows)
    differing = {at: count for at, count in found.items() if at[1] != at[2]}
    assert differing == {at: count for at, (count, _) in DIFFERENCES.items()}


def test_most_verdicts_agree(rows: list[dict[str, str]]) -> None:
    assert len(rows) > 2000
    assert {row["rigour_verdict"] for row in rows} == {"agree", "partly", "contradict"}


@pytest.mark.parametrize("kind", ["other person", "other surname", "other surname, same particle"])
def test_another_person_never_agrees(rows: list[dict[str, str]], kind: str) -> None:
    chosen = [row for row in rows if row["kind"] == kind]
    assert chosen
    assert {verdict(row) for row in chosen} == {"contradict"}


@pytest.mark.parametrize("kind", ["case", "order", "hyphen", "apostrophe", "accents left out", "romanised", "nickname"])
def test_one_person_always_agrees(rows: list[dict[str, str]], kind: str) -> None:
    chosen = [row for row in rows if row["kind"] == kind]
    assert chosen
    assert {verdict(row) for row in chosen} == {"agree"}


def verdict(row: dict[str, str]) -> str:
    one = Name(first=row["first1"], last=row["last1"])
    return VERDICTS[compare(one, Name(first=row["first2"], last=row["last2"])).agreement]
