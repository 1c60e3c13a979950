"""`python -m scripts.tour`: makes docs/pictures/tour.svg from real commands against emulated vendors.

The commands run on a pseudo-terminal of 88 columns; what they print, colours included, becomes one still picture
without anything from outside: no fonts, no links. `tests/system/test_tour.py` makes it again and compares the words.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/pictures/tour.svg"
TITLE = "syncd: from nothing to a first batch"
COLUMNS, LINES = 88, 13
PROGRAM = "#!{python}\nfrom syncd.cli import main\nmain()\n"
INIT = "syncd init --yes --crm hubspot --provider zeliq --provider fullenrich --set zeliq.plan=essential --per-day 500"
SHOWN_AS = "http://127.0.0.1:9000"  # for the sandbox, whose port is another one each time
WATCH = "syncd status --watch"


def main() -> None:
    """Make the picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(), "utf-8")


def drawn() -> str:
    """The whole tour as SVG."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="tour-") as folder, _sandbox(Path(folder)) as control:
        ports = [f"--{name}=127.0.0.1:{_free_port()}" for name in ("listen", "admin")]
        for command, shown in (
            (f"{INIT} --sandbox {control} {' '.join(ports)}", f"{INIT} --sandbox {SHOWN_AS}"),
            ("syncd plan", "syncd plan"),
            ("syncd run --once 2> syncd.log", "syncd run --once 2> syncd.log"),
            (WATCH, WATCH),
        ):
            said = _said(command, Path(folder), watch=command == WATCH)
            console.print(Text.assemble(("$ ", "green"), (shown, "bold")), soft_wrap=False)
            console.print(Text.from_ansi(_plain(said, control)).append("\n"), soft_wrap=False)
    return _alone(console.export_svg(title=TITLE, unique_id="tour"))


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    """Emulated vendors; the address of their control."""
    program = folder / "bin/syncd"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable), "utf-8")
    program.chmod(0o755)
    command = [str(program), "sandbox", "--tether", "--json", "--contacts=40", "--speed=240"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=_environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both were asked for")
        try:
            yield str(json.loads(process.stdout.readline())["urls"]["control"])
        finally:
            process.stdin.close()  # ends it


def _environment(folder: Path) -> Mapping[str, str]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "HOME": str(folder), "LANG": "C.UTF-8"}


def _said(command: str, folder: Path, *, watch: bool) -> str:
    """What a terminal is told by a command; of a live screen its first picture."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    with subprocess.Popen(  # noqa: S602 - our own commands, one of them with a redirection
        command, shell=True, cwd=folder, env=_environment(folder), stdin=there, stdout=there, stderr=there
    ) as process:
        os.close(there)
        said = b""
        while some := _read(here):
            said += some
            if watch and b"? help" in said:
                time.sleep(0.2)
                os.write(here, b"q")
                watch = False
    os.close(here)
    text = said.decode().replace("\r\n", "\n")
    if process.returncode:
        raise AssertionError(f"{command} ended with {process.returncode}: {text}")
    return max(text.split("\x1b[H"), key=len)  # a live screen begins each of its pictures so


def _read(terminal: int) -> bytes:
    """The next piece; nothing at the end, which Linux tells by an error."""
    select.select([terminal], [], [])
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def _plain(said: str, control: str) -> str:
    """Without what is of this machine alone."""
    name, here = f" · {socket.gethostname()} · ", " · example · "
    head = re.sub(f"{re.escape(name)}([A-Z]+)(.*?)( +)", _renamed(here, len(here) - len(name)), said, count=1)
    return head.replace(control, SHOWN_AS).strip("\n")


def _renamed(name: str, longer: int) -> Callable[[re.Match[str]], str]:
    """What follows stays where it is on the line."""
    return lambda found: f"{name}{found[1]}{found[2]}{' ' * (len(found[3]) - longer)}"


def _alone(svg: str) -> str:
    """With a title for those who do not see it, and without fonts from elsewhere."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace")
    space = 'xmlns="http://www.w3.org/2000/svg"'
    title = f'<title id="tour-title">{TITLE}</title>'
    return svg.replace(f"{space}>", f'role="img" aria-labelledby="tour-title" {space}>{title}', 1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
