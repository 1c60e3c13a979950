"""How commands speak: tables on a terminal, plain text in a pipe, JSON when asked."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncd import codes, systemd
from syncd.config import Settings, load
from syncd.contract.errors import ConfigError
from syncd.registry import Registry

from . import credentials

if TYPE_CHECKING:
    from rich.console import Console

    out: Console
    err: Console

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = Path(sys.prefix) / "share/doc/syncd"  # where pip puts those of the wheel

_hidden: set[str] = set()  # secrets that were read, for the last resort to mask
_given: dict[str, Path | None] = {}  # what was typed, for hints to repeat
_NO_CONFIG = {"init", "demo", "sandbox", "connectors", "completion", "config"}  # commands that take none
_GROUPS = {"review", "suppress", "alert", "in-doubt"}  # of commands: the option follows the second word


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


def _mark(console: Callable[[], Console], mark: str, rest: str, style: str) -> None:
    """A line, its beginning marked on a terminal. Nothing in it is taken for markup. The daemon, whose warnings go to
    the journal, does without rich."""
    if not (sys.stderr if console is _err else sys.stdout).isatty():
        typer.echo(pasteable(mark) + pasteable(rest), err=console is _err)
        return
    from rich.text import Text  # noqa: PLC0415

    console().print(Text.assemble((pasteable(mark), style), pasteable(rest)))


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration. Default: $SYNCD_CONFIG, ./config.yaml, /etc/syncd/config.yaml."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]


def settings_from(path: Path | None, *, secrets: bool = True) -> tuple[Settings, Registry]:
    """Load the configuration and show its warnings; raises ConfigError with every problem.

    Without `secrets`, for what needs the ledger alone: none is looked for, and what is wrong elsewhere is a warning.
    """
    registry = Registry()
    chosen = config_path(path)
    environ = credentials.environment(os.environ)
    try:
        settings = load(chosen, environ, registry=registry, secrets=secrets)
    except ConfigError as error:
        names = [] if environ.get(credentials.VARIABLE) else credentials.named_in(chosen)
        raise _with_their_line(error, names) if names and secrets else error from None
    _hidden.update(settings.secrets)
    _given["config"] = path
    for warning in settings.warnings if settings.rehearsal is None else ():  # a sandbox's keys are no secrets
        _mark(_err, "warning", f": {warning}", "yellow")
    return settings, registry


def hidden() -> Collection[str]:
    """The secrets that were read, in each way in which an error may quote them."""
    return {form for one in _hidden for form in (one, one.strip(), repr(one)[1:-1], repr(one.encode())[2:-1])}


def _with_their_line(error: ConfigError, names: Sequence[str]) -> ConfigError:
    line = credentials.line_with(names, [*program().split(), *sys.argv[1:]])
    cure = f"as root, the secrets are found while {credentials.UNIT} runs; while it does not, run: {line}"
    return ConfigError([*error.problems, cure])


def complain(lines: Iterable[str], code: str = "") -> None:
    """Problems, one a line, on standard error; with their priority where the journal reads it. Where the docs tell of
    such a problem is said below them."""
    if systemd.is_journal(sys.stderr):
        typer.echo("\n".join(f"<{systemd.ERROR}>{part}" for line in lines for part in line.splitlines()), err=True)
        return
    for line in lines:
        _mark(_err, "error", f": {line}", "red")
    if code:
        note(f"       see {page(codes.see(code))}")


def tell(text: str) -> None:
    """A line on standard output. Nothing in it is taken for markup."""
    _mark(_out, "", text, "")


def note(text: str) -> None:
    """A line on standard error that is no error: how far the work is, what else there is."""
    _mark(_err, "", text, "")


def program() -> str:
    """How this program was called, so that a hint can be pasted."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("syncd", "__main__.py"):
        return f"{_short(sys.executable)} -m syncd"
    found = shutil.which("syncd")
    if called.name != "syncd" or (found is not None and Path(found).samefile(called)):
        return "syncd"
    return shlex.quote(_short(sys.argv[0]))


def _short(path: str) -> str:
    """As seen from the current folder, where it is below it."""
    here = f"{Path.cwd()}/"
    return path.removeprefix(here)


def pasteable(text: str) -> str:
    """Every `syncd COMMAND` in a text as it has to be typed here, with the configuration that was named."""
    if "syncd " not in text:
        return text
    config = f" -c {shlex.quote(str(_given['config']))}" if _given.get("config") else ""
    called = program()
    return _command().sub(lambda found: f"{called} {found[1]}{found[2] or config}", text)


@cache
def _command() -> re.Pattern[str]:
    """A command in a hint, where it takes a configuration, and the option if it is there."""
    from . import COMMANDS  # noqa: PLC0415 - not before all commands are known

    plain = "|".join(sorted(COMMANDS.keys() - _GROUPS - _NO_CONFIG))
    return re.compile(rf"(?<![\w./-])syncd ((?:{plain}|(?:{'|'.join(sorted(_GROUPS))})(?: [a-z]+)?)\b)( -c )?")


def with_cure(what: str, cure: str, code: str = "") -> str:
    """What is wrong, with its code in the list of errors, and, below it, what to do about it."""
    coded = f"{what} [{code}]" if code else what
    return f"{coded}\n       → {cure}" if cure else coded


def page(name: str) -> str:
    """`docs/…#part` of a checkout, or where the wheel has put that file."""
    file, _, part = name.partition("#")
    copy = DOCUMENTS / Path(file).name
    return f"{copy}#{part}" if copy.is_file() and not (CHECKOUT / file).is_file() else name


def say(marked: str, rest: str, *, style: str = "bold") -> None:
    """A line on standard output, its beginning marked on a terminal. Nothing in it is taken for markup."""
    _mark(_out, marked, rest, style)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """One JSON document; without `indent` on one line."""
    typer.echo(to_json(value, indent=indent))


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """The same as a text."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=indent)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], drop: Sequence[str] = ()) -> None:
    """A table; nothing at all when there are no rows. `drop`: the heads of columns that are left out where a terminal
    is too narrow for all, the least worth first."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not texts:
        return
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from .fitting import GAP, fitted  # noqa: PLC0415

    shown, widths = fitted(heads, texts, _out().width, drop)
    drawn = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, GAP, 0, 0)
    )
    for at, width in zip(shown, widths, strict=True):
        drawn.add_column(heads[at], width=width, overflow="fold")
    for row in texts:
        drawn.add_row(*(Text(row[at]) for at in shown))
    _out().print(drawn)
    if left := [head for at, head in enumerate(heads) if at not in shown]:
        _out().print(Text(f"(left out, for the terminal is narrow: {', '.join(left)})"), soft_wrap=False)
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
    raise ConfigError([f"no configuration at {tried}: run `syncd init`, or name one with --config"])


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
