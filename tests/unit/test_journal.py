"""S10: what the journal reads begins with its priority, and carries no second time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SAY = """
import logging, sys, structlog
from syncd.config.sections import Log, LogFormat
from syncd.log import set_up
set_up(Log(level="debug", format=LogFormat(sys.argv[1])))
log = structlog.get_logger("syncd.test")
for level in ("debug", "info", "warning", "error", "critical"):
    getattr(log, level)("said")
logging.getLogger("another library").warning("said")
try:
    raise ValueError("broke")
except ValueError:
    log.exception("said")
"""
PRIORITIES = ["<7>", "<6>", "<4>", "<3>", "<2>", "<4>", "<3>"]


def said(folder: Path, form: str, *command: str, journal: bool = True) -> list[str]:
    """The lines that a process writes to a standard error that is, or is not, the journal's."""
    path = folder / "journal"
    with path.open("w") as stream:
        held = os.fstat(stream.fileno())
        other = 0 if journal else 1
        given = {**os.environ, "JOURNAL_STREAM": f"{held.st_dev}:{held.st_ino + other}", "NO_COLOR": "1"}
        arguments = command or ("-c", SAY, form)
        subprocess.run([sys.executable, *arguments], env=given, stderr=stream, check=False, timeout=60)
    return path.read_text().splitlines()


def test_s10_each_line_has_its_priority_and_no_time(tmp_path: Path) -> None:
    lines = said(tmp_path, "json")
    assert [line[:3] for line in lines] == PRIORITIES
    read = [json.loads(line[3:]) for line in lines]
    assert {line["event"] for line in read} == {"said"}
    assert not any("timestamp" in line for line in read)


def test_s10_so_has_each_line_of_one_that_is_written_on_several(tmp_path: Path) -> None:
    lines = said(tmp_path, "console")
    assert len(lines) > len(PRIORITIES)
    assert all(line.startswith("<3>") for line in lines[len(PRIORITIES) - 1 :])


@pytest.mark.parametrize("form", ["json", "console"])
def test_elsewhere_lines_carry_the_time_and_no_priority(tmp_path: Path, form: str) -> None:
    lines = said(tmp_path, form, journal=False)
    assert not any(line.startswith("<") for line in lines)
    assert "20" in lines[0]


def test_s3_a_wrong_configuration_is_an_error_in_the_journal(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("ledgr: {}\n")
    lines = said(tmp_path, "", "-m", "syncd", "run", "-c", str(tmp_path / "config.yaml"))
    assert lines
    assert all(line.startswith("<3>") for line in lines)
    assert any("config.yaml:1: ledgr: unknown key" in line for line in lines)
