"""docs/first-batch.md: its commands are run in their order, as they stand there, and print what it says.

Compared is the text between the numbers: each number (times, ids, amounts, marks) is a `#`, each stretch of blanks
as one. A line `…` stands for any lines, `…` within a line for anything. The whole takes half a minute, for it is
ten minutes of a person.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from .rig import environment, until

DOCUMENT = Path(__file__).parents[2] / "docs" / "first-batch.md"
ROOT = DOCUMENT.parents[1]
MORE = "…"
PROGRAM = """#!{python}
from syncd.cli import main
main()
"""


@dataclass(frozen=True)
class Step:
    """A command, and what it prints."""

    command: str
    prints: Sequence[str]


def steps(text: str) -> list[Step]:
    """Every command of the console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [Step(command, tuple(lines)) for command, *lines in (part.splitlines() for part in parts)]


def plain(line: str) -> str:
    """A line as it is compared."""
    return " ".join(re.sub(r"\b[0-9a-f]{8}\b|\d[\d,.:]*(?: [smhd]\b)?", "#", line).split())


def difference(wanted: Sequence[str], printed: str) -> str:
    """The first line that is wanted and does not come, or ""."""
    left = [plain(line) for line in printed.splitlines() if line.strip()]
    skip = False
    for line in wanted:
        if line.strip() in ("", MORE):
            skip = skip or line.strip() == MORE
            continue
        place = next((n for n, one in enumerate(left) if _is(plain(line), one)), None)
        if place is None or (place and not skip):
            return f"wanted: {line}\nprinted: {left[0] if left else '(no more)'}"
        left, skip = left[place + 1 :], False
    return "" if skip or not left else f"not wanted: {left[0]}"


def _is(wanted: str, printed: str) -> bool:
    """Is this the line that is wanted? What is printed may be cut short, too: `h…@acme.example`."""
    return re.fullmatch(".*".join(map(re.escape, wanted.split(MORE))), printed) is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, and beside it the program as it is installed."""
    program = tmp_path / "bin" / "syncd"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable), "utf-8")
    program.chmod(0o755)
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    return empty


def test_the_commands_print_what_the_document_says(folder: Path) -> None:
    shell = {**environment(COLUMNS="200"), "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}"}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for step in steps(DOCUMENT.read_text("utf-8")):
            if step.command.endswith(" &"):
                printed = _start(step, folder, shell, started)
            else:
                printed = _run(step.command, folder, shell)
            assert difference(step.prints, printed) == "", f"$ {step.command}\n{printed[-3000:]}"
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _start(step: Step, folder: Path, shell: dict[str, str], started: list[subprocess.Popen[bytes]]) -> str:
    """What goes on beside the others; its last line says that it is ready."""
    output = folder.parent / "beside.txt"
    command = ["bash", "-c", "exec " + step.command.removesuffix(" &")]
    with output.open("wb") as out:
        started.append(subprocess.Popen(command, cwd=folder, env=shell, stdout=out, stderr=subprocess.DEVNULL))
    last = plain(step.prints[-1])
    until("the sandbox", lambda: any(plain(line) == last for line in output.read_text("utf-8").splitlines()))
    return output.read_text("utf-8")


def _run(command: str, folder: Path, shell: dict[str, str]) -> str:
    words = ["bash", "-c", f"set -o pipefail; {command}"]
    done = subprocess.run(words, cwd=folder, env=shell, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, f"$ {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize(
    ("wanted", "printed"),
    [
        (["a 1", "b"], "a 2\n\nb"),
        (["45 s  1 m  0"], "1 m  3 h  0"),
        (["a 1", MORE, "c"], "a 2\nx\ny\nc"),
        ([MORE, "c"], "a\nc"),
        (["a", MORE], "a\nb\nc"),
        (["known: …"], "known: Ada"),
    ],
)
def test_what_counts_as_the_same(wanted: list[str], printed: str) -> None:
    assert difference(wanted, printed) == ""


@pytest.mark.parametrize(
    ("wanted", "printed"),
    [(["a"], ""), (["a"], "b"), (["a"], "a\nb"), (["a", "c"], "a\nb\nc"), ([MORE, "c"], "a\nb")],
)
def test_what_does_not(wanted: list[str], printed: str) -> None:
    assert difference(wanted, printed)
