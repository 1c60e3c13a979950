"""Which columns of a table a terminal shows, and how wide."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.cli.fitting import GAP, NARROW, fitted

HEADS = ["sync", "name", "note"]
ROWS = [["people", "Ana Lima", "a long note that says why nothing was found"]]


def test_where_there_is_room_all_is_shown_as_it_is() -> None:
    assert fitted(HEADS, ROWS, 120, ["name"]) == ([0, 1, 2], [6, 8, 43])


def test_what_is_worth_least_is_left_out_first() -> None:
    assert fitted(HEADS, ROWS, 56, ["name", "note"]) == ([0, 2], [6, 43])
    assert fitted(HEADS, ROWS, 20, ["name", "note"]) == ([0], [6])


def test_then_the_widest_column_takes_several_lines() -> None:
    assert fitted(HEADS, ROWS, 40, []) == ([0, 1, 2], [6, 8, 22])


def test_signs_of_two_cells_count_as_two() -> None:
    assert fitted(["name"], [["名前"]], 80, []) == ([0], [4])


@given(
    rows=st.lists(st.lists(st.text("ab 名", max_size=60), min_size=4, max_size=4), max_size=5),
    columns=st.integers(40, 130),
    drop=st.lists(st.sampled_from("wxyz"), unique=True, max_size=3),
)
def test_whatever_the_texts_are_it_fits(rows: list[list[str]], columns: int, drop: list[str]) -> None:
    shown, widths = fitted(["w", "x", "y", "z"], rows, columns, drop)
    assert sum(widths) + GAP * (len(widths) - 1) <= columns
    assert all(width >= min(NARROW, 1) for width in widths)
    assert len(shown) == len(widths) >= 1
