"""`syncd migrate`: the ledger moves from a file to PostgreSQL, or back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from syncd import compose
from syncd.ledger.engines import WITHOUT_PSYCOPG
from syncd.ledger.file import LedgerError
from syncd.ledger.place import Place, Url, is_url

from .output import ConfigOption, JsonOption, print_json, settings_from, tell
from .progress import progress
from .work import only_daemon


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("migrate", short_help="Move the ledger to PostgreSQL, or back to a file.")(migrate)


def migrate(
    target: Annotated[
        str,
        typer.Argument(metavar="URL|FILE", help="postgresql://… of an empty database, or a file that is not there."),
    ],
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Move the ledger that the configuration names to PostgreSQL, or back to a file; the daemon must be stopped.

    All rows are copied, read again on both sides and compared, and what came out must add up. The old ledger is
    kept as it is, but says that it was moved, and is not opened any more. If anything is in the way, nothing has
    changed; a move that was cut short is ended, or begun anew, by the same command. Passwords are better kept out of
    the URL, where others on this host can see them: in ~/.pgpass, or in PGPASSFILE.

    \b
    Examples:
      systemctl stop syncd
      syncd migrate postgresql://syncd@db.example.com/syncd
      syncd migrate /var/lib/syncd/ledger.db
    """
    settings, _ = settings_from(config, secrets=False)
    source, place = settings.ledger.place, _place(target)
    if str(source) == str(place):
        raise typer.BadParameter(
            f"the configuration names {source} already: run this with the configuration as it was before"
        )
    try:
        from syncd.ledger import moving  # noqa: PLC0415 - psycopg is not there everywhere
    except ImportError as error:
        raise LedgerError(WITHOUT_PSYCOPG) from error
    with ExitStack() as both:
        for one in (source, place):
            both.enter_context(only_daemon(one))
        line = both.enter_context(progress("moving", "rows", rate=True))
        done = moving.move(source, place, now=compose.clock_of(settings).now(), progress=line)
    if as_json:
        tables = {name: one._asdict() for name, one in done.tables.items()}
        print_json({"from": str(source), "to": str(place), "rows": done.rows, "tables": tables})
        return
    if done.tables:
        tell(f"{done.rows:,} rows of {len(done.tables)} tables were moved and compared: they are the same, and add up.")
    else:
        tell("The ledger had been moved before; that is ended now.")
    tell(f"{source} is kept, says that it was moved, and is not opened any more.")
    key = "path" if isinstance(place, Path) else "url"
    tell(f"Now let the configuration name the new place, and start syncd:\n  ledger: {{ {key}: {place} }}")


def _place(target: str) -> Place:
    if is_url(target):
        return Url(target)
    if "://" in target:
        raise typer.BadParameter("a database is named as postgresql://user@host/database")
    return Path(target).absolute()
