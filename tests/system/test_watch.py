"""`syncd status --watch` as a person sees it: on real terminals of three widths, plain ones, and in a pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from syncd.words import STANDINGS

from .rig import PATIENCE, Vendors, answer, environment, until
from .terminal import Terminal

TRANSCRIPT = "run-once.txt"
ALTERNATE, USUAL = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    """A ledger in which something has happened; its daemon has ended."""
    with Vendors(tmp_path_factory.mktemp("vendors"), contacts=12) as running:
        running.configure(budgets=[{"name": "all", "per_day": 500}])
        with Terminal(["run", "--once", "-c", running.config], running.folder) as terminal:
            assert terminal.ended() == 0
            (running.folder / TRANSCRIPT).write_bytes(terminal.said)
        until("it is seen to have ended", lambda: not answer("status", "-c", running.config)["running"])
        yield running


def test_run_once_tells_how_far_it_is_below_the_log(vendors: Vendors) -> None:
    said = (vendors.folder / TRANSCRIPT).read_bytes().decode()
    far = re.findall(r"\r\x1b\[Kenriching: (\d+) of (\d+) fields[^\r\n]*", said)
    assert len(far) > 3
    assert [int(done) for done, _ in far] == sorted(int(done) for done, _ in far)
    assert re.search(r"fields \(\d+ %\), [\d,]+ a second, \d+ % found, [\d.,]+ credits, \d+ s", said)
    assert not re.search(r"enriching[^\r\n]*\n", said), "a line of the log is never behind it"
    assert said.rstrip().splitlines()[-1].endswith("credits were charged.")


def watching(vendors: Vendors, columns: int = 80, **environ: str) -> Terminal:
    return Terminal(["status", "--watch", "-c", vendors.config], vendors.folder, columns, 24, environ)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_each_width_has_a_layout_in_which_nothing_is_cut(vendors: Vendors, columns: int) -> None:
    with watching(vendors, columns) as terminal:
        shown = terminal.until_shown("SYNC", "STATE", "q quit")
        heads = next(line for line in shown if line.startswith("SYNC"))
        assert ("NEXT" in heads, "CREDITS TODAY" in heads) == (columns >= 80, columns >= 80)
        assert ("FOUND" in heads, "WRITTEN" in heads) == (columns >= 120, columns >= 120)
        assert any(one.marked in line for one in STANDINGS.values() for line in shown)
        assert any(line.startswith("MONEY  " if columns == 60 else "BUDGET  all ▕") for line in shown)
        assert not [line for line in shown if "…" in line]
        assert shown[-1].startswith("q quit  p pause  ? help")
        assert ("page: http://127.0.0.1:" in shown[-1]) == (columns >= 60)
        terminal.type("q")
        assert terminal.ended() == 0


def test_keys_pause_explain_and_quit(vendors: Vendors) -> None:
    with watching(vendors) as terminal:
        terminal.until_shown("q quit  p pause")
        terminal.type("p")
        terminal.until_shown("paused", "p go on")
        terminal.type("?")
        terminal.until_shown(*(one.meaning for one in STANDINGS.values()))
        terminal.type("?p")
        terminal.until_shown("SYNC", "p pause", "s old")
        terminal.type("q")
        assert terminal.ended() == 0
        assert terminal.is_as_before()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_left_as_it_was(vendors: Vendors, number: signal.Signals) -> None:
    with watching(vendors) as terminal:
        terminal.until_shown("q quit")
        assert ALTERNATE in terminal.said
        terminal.said = b""
        terminal.interrupt() if number is signal.SIGINT else terminal.process.send_signal(number)
        assert terminal.ended() == 128 + number
        assert USUAL in terminal.said
        assert b"Traceback" not in terminal.said
        assert terminal.is_as_before()


def test_a_window_that_changes_its_size_is_drawn_anew(vendors: Vendors) -> None:
    with watching(vendors, 120) as terminal:
        terminal.until_shown("WRITTEN")
        terminal.resize(60)
        terminal.until_shown("MONEY  ")
        terminal.type("q")
        assert terminal.ended() == 0


def test_without_colours_sign_and_word_say_it_all(vendors: Vendors) -> None:
    with watching(vendors, NO_COLOR="1") as terminal:
        terminal.until_shown("SYNC", "q quit")
        terminal.type("q")
        assert terminal.ended() == 0
        codes = {code for part in terminal.said.split(b"\x1b[")[1:] if (code := part.partition(b"m")[0]).isdigit()}
        assert codes <= {b"0", b"1"}  # bold and its end


def test_a_terminal_that_can_draw_nothing_is_told_line_by_line(vendors: Vendors) -> None:
    with watching(vendors, TERM="dumb") as terminal:
        terminal.until("SYNC")
        terminal.until("SYNC")
        assert b"\x1b" not in terminal.said
        terminal.interrupt()
        assert terminal.ended() == 130


def test_the_state_of_a_ledger_without_a_daemon_is_told_with_its_age(vendors: Vendors) -> None:
    with watching(vendors) as terminal:
        shown = terminal.until_shown("■ no daemon runs: last seen ", "→ systemctl status syncd, or: syncd run")
        assert any("ago, and so it stood then" in line for line in shown)
        terminal.type("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_in_a_pipe_one_snapshot_follows_the_other(vendors: Vendors, options: list[str]) -> None:
    command = [sys.executable, "-m", "syncd", "status", "--watch", "-c", str(vendors.config), *options]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            if options:
                told = [json.loads(process.stdout.readline()) for _ in range(2)]
                assert [one["running"] for one in told] == [False, False]
            else:
                seen = b""
                while seen.count(b"\nSYNC ") < 2:
                    seen += os.read(process.stdout.fileno(), 65_536)
                assert b"\x1b" not in seen
        finally:
            process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        assert b"Traceback" not in process.stderr.read()


def test_a_ledger_that_is_not_there_is_told_before_anything_is_drawn(tmp_path: Path, vendors: Vendors) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(vendors.config.read_text("utf-8").replace(str(vendors.ledger), str(tmp_path / "ledger.db")))
    with Terminal(["status", "--watch", "-c", config], tmp_path) as terminal:
        assert terminal.ended() != 0
        assert ALTERNATE not in terminal.said
        assert b"Traceback" not in terminal.said


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_fit_and_cut_nothing(vendors: Vendors, columns: int) -> None:
    commands = (["contacts"], ["runs"], ["report"], ["review", "list"], ["status"])
    for command in commands:
        with Terminal([*command, "-c", vendors.config], vendors.folder, columns, 200) as terminal:
            assert terminal.ended() == 0
            told = re.sub(r"\x1b\[[0-9;]*m", "", terminal.said.decode())
        wide = [line for line in map(str.rstrip, told.splitlines()) if cell_len(line) > columns]
        sentences = [line for line in wide if ": " in line or line.endswith((".", "(UTC)"))]  # wrapped by the terminal
        assert wide == sentences, command
        assert "…" not in told, command
        assert ("left out, for the terminal is narrow" in told) or columns > 60 or command[0] == "review", command
