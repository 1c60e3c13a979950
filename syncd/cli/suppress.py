"""Commands for the suppression list: suppress add, import, list, remove."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from syncd import compose
from syncd.actions import rights
from syncd.contract.errors import SyncdError
from syncd.ledger import suppressions
from syncd.ledger.store import Ledger, reading
from syncd.people import suppression
from syncd.people.suppression import Kind, Sign

from .output import ConfigOption, JsonOption, complain, print_json, settings_from, table, tell, when
from .who import operator

suppress_app = typer.Typer(
    no_args_is_help=True,
    short_help="Who is never asked about and never written for.",
    help="Who is never asked about and never written for, in any CRM: by e-mail, domain, LinkedIn profile, phone or "
    "record. Only keyed digests are kept, so the list itself tells nobody's name.",
)

KindOption = Annotated[
    str | None, typer.Option("--as", metavar="KIND", help=f"What the values are: {', '.join(suppression.TYPED)}.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; shown wherever somebody is left alone for it.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it. Without it, only what would be done is shown.")]
SHOWN = 20  # bad lines that are told one by one


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    suppress_app.command("add")(add)
    suppress_app.command("import")(import_)
    suppress_app.command("list")(list_)
    suppress_app.command("remove")(remove)
    app.add_typer(suppress_app, name="suppress")


def add(
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE…", help="An e-mail, a domain, a profile, +number, or REF.")
    ],
    config: ConfigOption = None,
    *,
    kind: KindOption = None,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Leave them alone from now on, in all CRMs. A running daemon keeps to it at once.

    A domain stands for everybody who works there or has a mailbox there.

    \b
    Examples:
      syncd suppress add ada@example.com --reason "asked us to"
      syncd suppress add example.com https://www.linkedin.com/in/ada
    """
    settings, _ = settings_from(config, secrets=False)
    try:
        signs = [suppression.read(value, _kind(kind)) for value in values]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    now = compose.clock_of(settings).now()
    place = settings.ledger.place
    new = Ledger.change(place, suppressions.add, signs, reason=reason, by=operator(), now=now)
    if as_json:
        print_json({"new": new, "known": len(set(signs)) - new})
        return
    tell(f"{new} new on the list, {len(set(signs)) - new} stood on it. Nobody of them is asked about or written for.")


def import_(
    file: Annotated[Path, typer.Argument(help="CSV, with a head or of a single column.", exists=True, dir_okay=False)],
    config: ConfigOption = None,
    *,
    column: Annotated[str | None, typer.Option(help="The column to read, where the head names several.")] = None,
    kind: KindOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put a whole list on it. Lines that can't be read are named, and the others are taken.

    With a head, each column that is called email, domain, profile (or linkedin_url), phone or record is read.

    \b
    Examples:
      syncd suppress import optouts.csv --reason "unsubscribed"
      syncd suppress import optouts.csv --column "Work Email" --as email --yes
    """
    settings, _ = settings_from(config, secrets=False)
    signs, bad = _read(file, column, _kind(kind))
    with reading(settings.ledger.place) as tx:
        new = suppressions.new(tx, signs)
    if yes and signs:
        now = compose.clock_of(settings).now()
        Ledger.change(settings.ledger.place, suppressions.add, signs, reason=reason, by=operator(), now=now)
    counts = Counter(sign.kind for sign in set(signs))
    if as_json:
        unread = [{"line": line, "why": why} for line, why in bad]
        print_json({"counts": counts, "new": new, "unread": unread, "done": yes})
        return
    complain([f"line {line}: {why}" for line, why in bad[:SHOWN]])
    if len(bad) > SHOWN:
        complain([f"{len(bad) - SHOWN} more lines can't be read; --json names them all"])
    table("", ["kind", "entries"], sorted(counts.items()))
    said = f"{new} new, {len(set(signs)) - new} known, {len(bad)} lines not read"
    tell(said if yes else f"{said}. Nothing was done: add --yes to do it.")


def list_(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """The entries: what kind each is, why, who put it there and when. Whom it is about can't be read from it.

    \b
    Example:
      syncd suppress list
    """
    settings, _ = settings_from(config, secrets=False)
    with reading(settings.ledger.place) as tx:
        entries = suppressions.entries(tx)
        told = rights.listed(tx)
    if as_json:
        print_json(told)
        return
    heads = ["id", "kind", "reason", "by", "since (UTC)"]
    table("", heads, ([one.id, one.kind, one.reason, one.added_by, when(one.at)] for one in entries))
    tell(f"{len(entries)} entries." if entries else "The list is empty.")


def remove(
    values: Annotated[list[str], typer.Argument(metavar="VALUE|ID…", help="The value itself, or an id of the list.")],
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Take entries from the list. Whoever was left alone because of them is decided on anew.

    \b
    Examples:
      syncd suppress remove ada@example.com
      syncd suppress remove 3f9a1c22b0de
    """
    settings, _ = settings_from(config, secrets=False)
    with reading(settings.ledger.place) as tx:
        digests = [rights.entry_of(tx, value) for value in values]
    gone = Ledger.change(settings.ledger.place, suppressions.remove, digests)
    if as_json:
        print_json({"removed": gone})
        return
    tell(f"{gone} taken from the list. Whom it concerned is decided on anew by a running daemon.")


def _kind(name: str | None) -> Kind | None:
    if name is None:
        return None
    if name not in suppression.TYPED:
        raise typer.BadParameter(f"there is no kind {name!r}; choose one of {', '.join(suppression.TYPED)}")
    return Kind(name)


_HEADS = {"linkedin": Kind.PROFILE, "linkedin_url": Kind.PROFILE, "ref": Kind.RECORD, "e-mail": Kind.EMAIL} | {
    str(kind): kind for kind in suppression.TYPED
}


def _read(file: Path, column: str | None, kind: Kind | None) -> tuple[list[Sign], list[tuple[int, str]]]:
    """What the file holds, and each line that can't be read, with the reason."""
    signs: list[Sign] = []
    bad: list[tuple[int, str]] = []
    for line, cells in _cells(file, column, kind):
        if not any(raw.strip() for raw, _ in cells):
            continue
        for raw, said in cells:
            try:
                signs += [suppression.read(raw, said)] if raw.strip() else []
            except ValueError as error:
                bad.append((line, str(error)))
    return signs, bad


def _cells(file: Path, column: str | None, kind: Kind | None) -> Iterator[tuple[int, list[tuple[str, Kind | None]]]]:
    """By line: each cell that is to be read, and what it is where the head or the operator says so."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            first = next(rows, [])
            columns = _columns([head.strip().casefold() for head in first], column, kind)
            if columns is None:  # a single column without a head
                columns = [(0, kind)]
                yield 1, [(first[0] if first else "", kind)]
            for row in rows:
                yield rows.line_num, [(row[at] if at < len(row) else "", said) for at, said in columns]
    except UnicodeDecodeError as error:
        raise SyncdError(f"{file} is no UTF-8 text: save it as CSV in UTF-8") from error


def _columns(heads: Sequence[str], column: str | None, kind: Kind | None) -> list[tuple[int, Kind | None]] | None:
    if column is not None:
        if column.strip().casefold() not in heads:
            raise typer.BadParameter(f"the first line has no column {column!r}, but {', '.join(heads)}")
        return [(heads.index(column.strip().casefold()), kind)]
    named: list[tuple[int, Kind | None]] = [
        (at, kind or _HEADS[head]) for at, head in enumerate(heads) if head in _HEADS
    ]
    if not named and len(heads) > 1:
        raise typer.BadParameter(f"none of the columns {', '.join(heads)} is known: name one with --column")
    return named or None
