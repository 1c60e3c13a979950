"""Which columns of a table fit a terminal, and how wide each is. Pure.

What is worth least is left out first; if that is not enough, the widest columns are narrowed, and their texts take
several lines. Nothing is cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

GAP = 2  # cells between two columns
NARROW = 8  # no column is narrowed to less


def fitted(
    heads: Sequence[str], rows: Sequence[Sequence[str]], columns: int, drop: Sequence[str]
) -> tuple[list[int], list[int]]:
    """The positions of the columns that are shown, and their widths. `drop`: what may be left out, the least first."""
    natural = [max([cell_len(head), *(_widest(row[at]) for row in rows)]) for at, head in enumerate(heads)]
    shown = list(range(len(heads)))
    for head in drop:
        if _total(natural, shown) <= columns:
            break
        shown = [at for at in shown if heads[at] != head]
    widths = {at: natural[at] for at in shown}
    while sum(widths.values()) + GAP * (len(shown) - 1) > columns:
        widest = max(widths, key=lambda at: 0 if heads[at].endswith("(UTC)") else widths[at])  # times stay in one line
        if widths[widest] <= NARROW:
            break
        widths[widest] -= 1
    return shown, list(widths.values())


def _widest(text: str) -> int:
    return max((cell_len(line) for line in text.splitlines()), default=0)


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[at] for at in shown) + GAP * (len(shown) - 1)
