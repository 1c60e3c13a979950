"""The command that finds contacts: contacts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Annotated, Any

import typer

from syncd import compose, filters
from syncd.config.shape import suggest
from syncd.contract.errors import SyncdError
from syncd.contract.model import ContactRef
from syncd.csvs import moment, write_csv
from syncd.ledger import search
from syncd.ledger.search import Found, Results, Wanted
from syncd.ledger.store import Tx, reading
from syncd.words import of_job

from .output import ConfigOption, JsonOption, note, print_json, settings_from, table, tell, when

PAGE = 1000  # rows that are read at once where all are wanted
FilterOption = Annotated[
    str | None, typer.Option("--filter", metavar="QUERY", help="Only what `syncd contacts QUERY` finds.")
]
_COLUMNS = [one.name for one in fields(Found) if one.name != "job_id"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("contacts", short_help="Find contacts, and what became of them.")(contacts)


def contacts(
    query: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY]…", help=f"{filters.HELP}. All of them must fit.")
    ] = None,
    config: ConfigOption = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="So many rows at most.")] = 50,
    after: Annotated[str | None, typer.Option(help="Go on behind a page: its `next`.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All rows, however many.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated, with a head, for spreadsheets.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find contacts: by name, e-mail, employer or id, and by what became of their fields. A row for each field.

    state: queued, waiting, sent, in_doubt, review, done …  reason: why it is done: written, not_found,
    low_quality …  since: what has changed since: 2h, 3d, 2026-11-27T08:30 (UTC).

    \b
    Examples:
      syncd contacts ada@acme.example
      syncd contacts reason:low_quality since:7d
      syncd contacts acme state:review field:phone --json
      syncd contacts reason:not_found sync:people --all --csv > misses.csv
    """
    if as_csv and as_json:
        raise typer.BadParameter("say --csv or --json, not both")
    settings, _ = settings_from(config, secrets=False)
    wanted = wanted_from(" ".join(query or ()), now=compose.clock_of(settings).now())
    with reading(settings.ledger.place) as tx, said_of_usage():
        if as_csv and every:
            _write_csv(row for page in _pages(tx, wanted, after) for row in page.rows)
            return
        found = _all(tx, wanted, after) if every else search.find(tx, wanted, limit=limit, after=after)
        places = [] if found.rows else search.places(tx)
    if as_csv:
        _write_csv(found.rows)
    elif as_json:
        rows = [asdict(one) for one in found.rows]
        print_json({"count": found.count, "next": found.next, "contacts": rows})
    else:
        _show(found, wanted, places)


def wanted_from(query: str | None, *, now: float) -> Wanted:
    """What is wanted, or a usage error that says what is wrong with it."""
    with said_of_usage():
        return filters.parse(query or "", now=now)


@contextmanager
def said_of_usage() -> Iterator[None]:
    """A ValueError about what was typed is one of usage."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def the_contact(tx: Tx, text: str) -> ContactRef:
    """The one contact that is meant; raises SyncdError with those that it can be, or that are like it."""
    found = search.resolve(tx, text)
    if len(found) == 1:
        return found[0]
    if found:
        raise SyncdError(f"{text!r} can be each of these: {', '.join(map(str, found))}; write more of it")
    like = suggest(text.rpartition("/")[0], search.places(tx)) if "/" in text else ""
    near = [str(ref) for ref in search.resolve(tx, text.rpartition("/")[2], most=3)] if "/" in text else []
    hint = f"did you mean {' or '.join(near)}?" if near else like or "`syncd contacts NAME` looks for it by name"
    raise SyncdError(f"the ledger knows no {text}: it lacks nothing, or no sync has pulled it yet; {hint}")


def _pages(tx: Tx, wanted: Wanted, after: str | None) -> Iterator[Results]:
    while True:
        page = search.find(tx, wanted, limit=PAGE, after=after)
        yield page
        if (after := page.next) is None:
            return


def _all(tx: Tx, wanted: Wanted, after: str | None) -> Results:
    rows = tuple(row for page in _pages(tx, wanted, after) for row in page.rows)
    return Results(rows=rows, next=None, count=len(rows) if after is None else None)


def _show(found: Results, wanted: Wanted, places: Sequence[str]) -> None:
    heads = ["contact", "name", "company", "field", "state", "provider", "value", "since (UTC)"]
    table("", heads, map(_row, found.rows), ["company", "since (UTC)", "provider", "name"])
    if not found.rows:
        tell("No contact is like this." if places else "No contact yet: `syncd run` pulls them.")
        if wanted.text is not None and places:
            note(f"Words are those of names, e-mails and employers; ids are looked for in {', '.join(places)}.")
        return
    many = f"{len(found.rows)} of {found.count:,}" if found.count is not None else f"{len(found.rows)}"
    more = f"; more: --after {found.next}, or --all" if found.next else ""
    tell(f"{many} rows{more}. One contact's journey: syncd show REF")


def _row(one: Found) -> list[Any]:
    state = of_job(one.state, one.reason).marked if one.state else ""
    return [one.ref, one.name, one.company, one.field, state, one.provider, one.value, when(one.at)]


def _write_csv(rows: Iterable[Found]) -> None:
    write_csv(sys.stdout, _COLUMNS, ({**asdict(one), "at": moment(one.at)} for one in rows))
