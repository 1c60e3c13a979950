"""The command that tells what is held on a person, and who was newly enriched: export."""

from __future__ import annotations

import io
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated

import typer

from syncd import compose
from syncd.actions import rights
from syncd.contract.errors import SyncdError
from syncd.csvs import write_csv
from syncd.ledger import exports
from syncd.ledger.exports import Enriched
from syncd.ledger.store import reading

from .contacts import wanted_from
from .output import ConfigOption, note, settings_from, to_json
from .prices import listed_prices

_COLUMNS = [one.name for one in fields(Enriched)]
FORMATS = ("json", "csv")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("export", short_help="All that is held on a person; who was newly enriched.")(export)


def export(
    who: Annotated[
        str | None, typer.Argument(metavar="[REF|EMAIL]", help="One of their records, or a mailbox.")
    ] = None,
    config: ConfigOption = None,
    *,
    new_since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Instead: who was enriched since, and was not before.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="json, or csv (with --new-since).")] = "json",
    out: Annotated[Path | None, typer.Option(help="A new file, for its owner alone, instead of the terminal.")] = None,
    _: Annotated[bool, typer.Option("--json", help="JSON, which is what is printed anyway.")] = False,
) -> None:
    """All that the ledger holds on a person, as JSON with sources and times: their records in all CRMs, what providers
    were told and answered, what was written, the history.

    With --new-since, one row for each value of those for whom nothing had been written before: whom to notify.

    \b
    Examples:
      syncd export ada@example.com --out ada.json
      syncd export --new-since 2026-11-01 --format csv > notify.csv
    """
    if (who is None) == (new_since is None):
        raise typer.BadParameter("say who (a record or a mailbox), or --new-since DATE")
    if form not in FORMATS or (form == "csv" and who is not None):
        raise typer.BadParameter("--format is json or csv; a person's data has a shape that only json can tell")
    settings, registry = settings_from(config, secrets=False)
    with reading(settings.ledger.place) as tx:
        if who is not None:
            _print(to_json(rights.export(tx, who, listed_prices(settings, registry))), out)
            return
        since = wanted_from(f"since:{new_since}", now=compose.clock_of(settings).now()).since or 0.0
        rows = [asdict(one) for one in exports.newly_enriched(tx, since)]
    _print(_csv(rows) if form == "csv" else to_json(rows), out)


def _csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    write_csv(text, _COLUMNS, rows)
    return text.getvalue().rstrip("\n")


def _print(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SyncdError(f"{out} is there already: name a new file") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    note(f"written to {out}, which only its owner can read")
