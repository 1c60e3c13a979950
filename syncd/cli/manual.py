"""Manual pages, written from the help of the commands: `python -m syncd.cli.manual FOLDER`.

One for syncd, and one for each command and each command of a group, such as syncd-in-doubt-list.1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from syncd import __version__

from . import COMMANDS, app, registered

EXIT_STATUS = {
    0: "It is done.",
    1: "The work failed, or something was found that has to be mended.",
    2: "The command was typed wrong.",
    65: "The ledger is damaged: restore a copy.",
    70: "Something that must never be: please report it.",
    73: "Another daemon has the ledger.",
    74: "The disk failed, or is full.",
    75: "Passing trouble: try again.",
    77: "This user may not do that.",
    78: "The configuration can't be used.",
}
_HEAD = '.TH "{title}" 1 "" "syncd {version}" "syncd"\n.SH NAME\n{name} \\- {said}\n'
_FILES = """.SH FILES
.TP
.I config.yaml, /etc/syncd/config.yaml
The configuration, unless \\-\\-config or $SYNCD_CONFIG names another.
.SH ENVIRONMENT
.TP
.B SYNCD_CONFIG
The configuration.
.TP
.B NO_COLOR
No colours.
"""


def write(folder: Path) -> list[Path]:
    """Write all pages; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages():
        path = folder / f"{name}.1"
        path.write_text(text, "utf-8")
        written.append(path)
    return written


def pages() -> Iterator[tuple[str, str]]:
    """Each page: its name and its text."""
    root: Any = typer.main.get_command(app)
    yield "syncd", _page("syncd", root, {name: said for name, (_, said) in COMMANDS.items()})
    for name, (module, _) in COMMANDS.items():
        yield from _of("syncd", registered(module)[name])


def _of(parent: str, command: Any) -> Iterator[tuple[str, str]]:
    name = f"{parent} {command.name}"
    inner = getattr(command, "commands", {})
    yield name.replace(" ", "-"), _page(name, command, {key: one.get_short_help_str(100) for key, one in inner.items()})
    for one in inner.values():
        yield from _of(name, one)


def _page(name: str, command: Any, inner: dict[str, str]) -> str:
    context = typer.Context(command, info_name=name)
    title = name.replace(" ", "-").upper()
    said = command.get_short_help_str(100) or "Finds the e-mails and phones that a CRM lacks."
    parts = [_HEAD.format(title=title, version=__version__, name=_roff(name.replace(" ", "-")), said=_roff(said))]
    usage = " ".join(command.collect_usage_pieces(context))
    parts.append(f".SH SYNOPSIS\n.B {_roff(name)}\n{_roff(usage)}\n.SH DESCRIPTION\n{_text(command.help or '')}")
    options = [one.get_help_record(context) for one in command.get_params(context)]
    parts += _list("OPTIONS", [one for one in options if one])
    parts += _list("COMMANDS", list(inner.items()))
    parts += _list("EXIT STATUS", [(str(code), means) for code, means in EXIT_STATUS.items()])
    parts.append(_FILES)
    parts.append(".SH SEE ALSO\n" + _see_also(name, inner))
    return "".join(parts)


def _list(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield f".SH {title}\n"
    for term, means in rows:
        yield f".TP\n.B {_roff(term)}\n{_roff(' '.join(means.split()))}\n"


def _text(help_: str) -> str:
    """Paragraphs are filled; those that begin with \\b stand as they are written."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", help_.strip()):
        lines = [line for line in paragraph.split("\n") if line.strip() != "\b"]
        literal = len(lines) < len(paragraph.split("\n"))
        body = "\n".join(_roff(line) for line in lines)
        parts.append(f".PP\n.nf\n{body}\n.fi\n" if literal else f".PP\n{_roff(' '.join(paragraph.split()))}\n")
    return "".join(parts)


def _see_also(name: str, inner: dict[str, str]) -> str:
    parent = name.rpartition(" ")[0]
    names = [*([parent] if parent else []), *(f"{name} {one}" for one in inner)]
    return ", ".join(f"{_roff(one.replace(' ', '-'))}(1)" for one in names) + "\n"


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\n" for path in write(Path(sys.argv[1]))))
