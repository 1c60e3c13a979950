"""The command that erases a person: forget."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer

from syncd import compose
from syncd.actions import rights
from syncd.config import Settings
from syncd.ledger import forgetting, search, suppressions
from syncd.ledger.file import LedgerBusy, empty_wal
from syncd.ledger.store import Ledger, reading
from syncd.people.suppression import Sign

from .output import ConfigOption, JsonOption, print_json, settings_from, table, tell
from .who import operator
from .work import is_alone

PATIENCE = 60.0  # seconds for which a daemon's work on the person is waited for
LOOK = 0.5  # seconds between two tries
T = TypeVar("T")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("forget", short_help="Erase a person, and never ask about them again.")(forget)


def forget(
    who: Annotated[str, typer.Argument(metavar="REF|EMAIL", help="One of their records, or a mailbox of theirs.")],
    config: ConfigOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it; without it, only what is held is shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a person from the ledger: all of their records in all CRMs, what was asked, answered and written, the raw
    answers, the history. What their calls cost stays, and digests by which they are never asked about again.

    It works beside a running daemon: a call about them that is being made is waited for, and a later answer is dropped.

    \b
    Examples:
      syncd forget ada@example.com
      syncd forget crm/contacts/501 --yes
    """
    settings, _ = settings_from(config, secrets=False)
    place, path = settings.ledger.place, settings.ledger.path
    with reading(place) as tx:
        person = rights.look(tx, who)
    held = person.held
    gone = _erase(settings, person.contacts, person.signs) if yes else Counter[str]()
    for _ in range(rights.PIECES if yes else 0):  # so small that the daemon's work goes on between them
        if not Ledger.change(place, search.merge):
            break
    emptied = yes and (path is None or _until(lambda: empty_wal(path) or None))
    if as_json:
        print_json({"records": held.refs, "held": held.counts, "done": yes, "gone": gone, "wal_emptied": bool(emptied)})
    else:
        table("Held on this person", ["what", "how many"], [(what, n) for what, n in held.counts.items() if n])
        tell(f"Records: {', '.join(held.refs)}" if held.refs else "Nothing is held on this person.")
        tell("Erased, and on the suppression list from now on." if yes else "Nothing was done: add --yes to do it.")
        tell(rights.ELSEWHERE)
    if yes and not emptied:
        raise LedgerBusy(f"erased, but {path}-wal could not be emptied yet, for it is being read: run this again")


def _erase(settings: Settings, contacts: Sequence[int], signs: set[Sign]) -> Counter[str]:
    """First nothing new may begin about them; then all goes in one transaction."""
    place, clock = settings.ledger.place, compose.clock_of(settings)
    Ledger.change(
        place, suppressions.add, signs, reason=forgetting.REASON, by=operator(), now=clock.now(), forgotten=True
    )
    traces = forgetting.traces(signs)
    with reading(place) as tx:
        mentioned = forgetting.mentions(tx, contacts, traces)

    why = ""

    def erase() -> Counter[str] | None:
        nonlocal why
        now, alone = clock.now(), is_alone(place)
        try:
            return Ledger.change(place, forgetting.erase, contacts, mentioned, traces, now=now, alone=alone)
        except forgetting.InTheWay as error:
            why = str(error)
            return None

    gone = _until(erase)
    if gone is None:
        raise LedgerBusy(f"{why}: nothing new is asked or written about them; run this again in a minute")
    return gone


def _until(work: Callable[[], T | None]) -> T | None:
    """Try until it works, or patience is over."""
    end = time.monotonic() + PATIENCE
    while (done := work()) is None and time.monotonic() < end:
        time.sleep(LOOK)
    return done
