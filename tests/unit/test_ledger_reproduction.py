"""All rows of a ledger, as they are copied to another database and compared with it."""

from __future__ import annotations

import pytest

from syncd.ledger import reproduction
from syncd.ledger.sqlite import sqlite3

from .by_hand import EMPTY, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand


@pytest.fixture
def named(tables: Tables) -> dict[str, reproduction.Table]:
    tables.raw.row_factory = sqlite3.Row
    return {one.name: one for one in reproduction.tables(tables.raw)}


def test_what_others_refer_to_comes_first_and_what_a_trigger_books_comes_last(
    tables: Tables, named: dict[str, reproduction.Table]
) -> None:
    place = {name: n for n, name in enumerate(named)}
    for first, later in (
        ("contact", "job"), ("job", "attempt"), ("submission", "attempt"), ("evidence", "result"), ("run", "undo"),
        ("submission", "spend"), ("submission", "credit_total"), ("sample", "delivery"), ("selection", "member"),
    ):  # fmt: skip
        assert place[first] < place[later]
    assert not {name for name in named if name.startswith(("contact_words", "sqlite", "_sqlite", "moved"))}
    there = {
        row[0] for row in tables.raw.execute("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE TABLE%STRICT%'")
    }
    assert set(named) == there - {"moved"}


def test_rows_have_one_order_by_all_of_their_key(tables: Tables, named: dict[str, reproduction.Table]) -> None:
    assert named["spend"].key == ("slot", "sync", "provider", "field", "run_id", "refresh")
    assert (named["job"].key, named["job"].numbered) == (("id",), True)
    assert (named["claim"].key, named["claim"].numbered) == (("kind", "item"), False)
    assert not named["canary"].numbered
    assert named["suppression_key"].key == ("key",), "without a key, all columns"
    for n, key in enumerate((b"c", b"a", b"b")):
        tables.raw.execute("INSERT INTO suppression_key VALUES (?)", [key])
        tables.raw.execute("INSERT INTO dearest VALUES (?, ?, 1, 1)", ["ba"[n % 2], f"f{n}"])
    tables.raw.commit()
    (keys,) = reproduction.rows_of(tables.raw, named["suppression_key"])
    assert [row["key"] for row in keys] == [b"a", b"b", b"c"]
    (prices,) = reproduction.rows_of(tables.raw, named["dearest"])
    assert [(row[0], row[1]) for row in prices] == [("a", "f1"), ("b", "f0"), ("b", "f2")]


@pytest.mark.parametrize(
    ("rows", "pieces"), [(0, []), (1, [1]), (1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])]
)
def test_rows_come_so_many_at_a_time(
    tables: Tables, named: dict[str, reproduction.Table], rows: int, pieces: list[int]
) -> None:
    tables.raw.executemany("INSERT INTO evidence (id, text) VALUES (?, ?)", [(n, f"t{n}") for n in range(rows, 0, -1)])
    tables.raw.commit()
    found = list(reproduction.rows_of(tables.raw, named["evidence"]))
    assert [len(piece) for piece in found] == pieces
    assert [row["id"] for piece in found for row in piece] == list(range(1, rows + 1))


def test_contacts_are_walked_through_piece_by_piece_none_twice(tables: Tables) -> None:
    """Their words are indexed where they were moved to."""
    for n in (5, 3, 9, 4):
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **{**EMPTY, "identity": f'{{"last_name": "Stone{n}"}}'})

    def piece(after: int, limit: int) -> list[int]:
        return [row["id"] for row in tables.read(lambda tx: tx.rows("identities", after=after, limit=limit))]

    assert (piece(0, 2), piece(4, 2), piece(9, 2)) == ([3, 4], [5, 9], [])
    assert piece(3, 9) == [4, 5, 9]
