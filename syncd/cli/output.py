"""How commands speak: tables on a terminal, plain text in a pipe, JSON when asked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncd import systemd
from syncd.config import Settings, load
from syncd.contract.errors import ConfigError
from syncd.registry import Registry

if TYPE_CHECKING:
    from rich.console import Console

    out: Console
    err: Console


def __getattr__(name: str) -> Console:
    """`out` and `err`, made when one is first asked for: rich is slow to import, and the daemon does without."""
    makers = {"out": _out, "err": _err}
    if name not in makers:
        raise AttributeError(name)
    return makers[name]()


@cache
def _out() -> Console:
    from rich.console import Console  # noqa: PLC0415

    # In a pipe a row is a line, however long: people scroll, programs split.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 1000)


@cache
def _err() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _mark(console: Console, mark: str, rest: str, style: str) -> None:
    """A line, its beginning marked on a terminal. Nothing in it is taken for markup."""
    from rich.text import Text  # noqa: PLC0415

    console.print(Text.assemble((mark, style), rest))


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration. Default: $SYNCD_CONFIG, ./config.yaml, /etc/syncd/config.yaml."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]


def settings_from(path: Path | None) -> tuple[Settings, Registry]:
    """Load the configuration and show its warnings; raises ConfigError with every problem."""
    registry = Registry()
    settings = load(config_path(path), os.environ, registry=registry)
    for warning in settings.warnings if settings.rehearsal is None else ():  # a sandbox's keys are no secrets
        _mark(_err(), "warning", f": {warning}", "yellow")
    return settings, registry


def complain(lines: Iterable[str]) -> None:
    """Problems, one a line, on standard error; with their priority where the journal reads it."""
    if systemd.is_journal(sys.stderr):
        typer.echo("\n".join(f"<{systemd.ERROR}>{part}" for line in lines for part in line.splitlines()), err=True)
        return
    for line in lines:
        _mark(_err(), "error", f": {line}", "red")


def with_cure(what: str, cure: str) -> str:
    """What is wrong and, below it, what to do about it."""
    return f"{what}\n       → {cure}" if cure else what


def say(marked: str, rest: str, *, style: str = "bold") -> None:
    """A line on standard output, its beginning marked on a terminal. Nothing in it is taken for markup."""
    _mark(_out(), marked, rest, style)


def print_json(value: Any) -> None:
    """One JSON document."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table; nothing at all when there are no rows."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        shown.add_column(head, no_wrap=head.endswith("(UTC)"))
    count = 0
    for row in rows:
        shown.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        count += 1
    if count:
        _out().print(shown)
        _out().print()


def when(seconds: float | None) -> str:
    """UTC, to the second."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def config_path(path: Path | None) -> Path:
    """The configuration that is meant: the one that was named, or the first that there is."""
    return path or _default_path()


def _default_path() -> Path:
    named = os.environ.get("SYNCD_CONFIG")
    places = [Path(named)] if named else [Path("config.yaml"), Path("/etc/syncd/config.yaml")]
    for place in places:
        if place.exists():
            return place
    tried = " and ".join(str(place) for place in places)
    raise ConfigError(
        [f"no configuration at {tried}: copy config.example.yaml to config.yaml, or name one with --config"]
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
