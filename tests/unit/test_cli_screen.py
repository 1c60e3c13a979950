"""The lines of `status --watch`: limits, what was written last, money, at three widths."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from syncd.cli import screen, status
from syncd.cli.screen import View
from syncd.contract.errors import Trouble
from syncd.contract.pacing import Window
from syncd.ledger import connections, rates

from .harness import Harness

MINUTE = Window(seconds=60.0, limit=100)
DAY = Window(seconds=86_400.0, limit=1_000)


def view(harness: Harness) -> View:
    return harness.run(harness.ledger.read(status._view, harness.settings, harness.clock.now()))


def shown(harness: Harness, columns: int) -> list[str]:
    lines = screen.plain(view(harness), columns).splitlines()
    assert all(cell_len(line) <= columns for line in lines)
    return lines


def learn(harness: Harness, name: str, *windows: Window) -> None:
    harness.run(harness.ledger.write(connections.learn_windows, name, windows, now=harness.clock.now()))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_c23_the_fullest_limit_of_each_vendor_and_what_was_written_last(written: Harness, columns: int) -> None:
    written.recover()
    learn(written, "crm", MINUTE, DAY)
    now = written.clock.now()
    for calls in (60, 1):
        written.run(written.ledger.write(rates.take, "crm", [MINUTE, DAY], now=now, calls=calls))
    lines = shown(written, columns)
    [gates] = [line for line in lines if line.startswith("GATES")]
    assert "crm 61 % of 100/min" in gates
    [last] = [line for line in lines if line.startswith("LAST")]
    assert last.endswith("written  Ada Test email (ann)")
    assert lines.index(gates) < lines.index(last)


def test_c23_who_wants_no_call_and_who_is_halted_is_said(written: Harness) -> None:
    now = written.clock.now()
    learn(written, "ann")
    written.run(written.ledger.write(connections.halt, "ann", Trouble.CREDITS, "none left", "buy", now=now))
    assert any(line.startswith("GATES") and "ann halted (credits)" in line for line in shown(written, 80))
    written.run(written.ledger.write(connections.clear, "ann"))
    written.run(written.ledger.write(lambda tx: connections.refuses(tx, "ann", 90.0, float, now=now)))
    until = screen._clock(now + 90)
    assert any(f"ann no call before {until}" in line for line in shown(written, 80))


def test_c23_an_empty_ledger_has_neither(harness: Harness) -> None:
    harness.recover()
    assert not [line for line in shown(harness, 80) if line.startswith(("GATES", "LAST"))]


def test_c23_many_vendors_take_several_lines(written: Harness) -> None:
    for number in range(9):
        learn(written, f"vendor-number-{number}", MINUTE)
    lines = shown(written, 60)
    first = next(n for n, line in enumerate(lines) if line.startswith("GATES"))
    assert lines[first + 1].startswith(" " * screen.LABEL + "vendor-number-")
    assert "".join(lines).count("vendor-number-") == 9
