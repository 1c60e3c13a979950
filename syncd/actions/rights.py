"""What is done at a person's own wish: left alone, told what is held on them, erased. For commands, API and pages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from syncd.contract.errors import SyncdError
from syncd.ledger import exports, forgetting, search, suppressions
from syncd.ledger.file import LedgerBusy, empty_wal
from syncd.ledger.forgetting import Held
from syncd.ledger.store import Tx
from syncd.people import suppression
from syncd.people.suppression import Sign
from syncd.pipeline.parts import Parts

PATIENCE = 10.0  # seconds for which the daemon's work on the person is waited for
LOOK = 0.2  # seconds between two tries
PIECES = 1_000  # of merging the index of words, at most: each rewrites some 500 pages, the last one finds nothing to do
ELSEWHERE = (
    "Elsewhere they are yours to erase: in the CRM (a record that stays there is left alone from now on), at the "
    "providers, in the log (ids only), and in copies of the ledger. A copy from before holds them still: delete it or, "
    "once it was restored, run this again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who was named. `signs`: by what they are recognised from now on."""

    contacts: tuple[int, ...]
    signs: set[Sign]
    held: Held


def the_person(tx: Tx, who: str) -> tuple[int, ...]:
    """The contacts of the one person that is meant; none where nobody is known. Raises SyncdError for several."""
    contacts = forgetting.find(tx, who)
    persons = forgetting.persons(tx, contacts)
    if len(persons) > 1:
        raise SyncdError(
            f"{who!r} is held by {len(persons)} people: name the one by a record: {', '.join(persons[:10])}"
        )
    return contacts


def look(tx: Tx, who: str) -> Person:
    """What is held on them. Raises SyncdError where nobody is meant."""
    contacts = the_person(tx, who)
    signs = forgetting.signs(tx, who, contacts)
    if not signs:
        raise SyncdError(
            f"{who!r} is neither an e-mail nor connection/object/id; `syncd contacts NAME` finds the record"
        )
    return Person(contacts=contacts, signs=signs, held=forgetting.held(tx, contacts))


async def erase(parts: Parts, person: Person, by: str) -> Counter[str]:
    """Within the daemon: first nothing new may begin about them; then all goes in one transaction. Returns how many
    rows of what. Raises LedgerBusy where a call about them does not end in time."""
    now, ledger = parts.clock.now(), parts.ledger
    await ledger.write(suppressions.add, person.signs, reason=forgetting.REASON, by=by, now=now, forgotten=True)
    traces = forgetting.traces(person.signs)
    mentioned = await ledger.read(forgetting.mentions, person.contacts, traces)
    gone = await _erased(parts, person.contacts, mentioned, traces)
    for _ in range(PIECES):  # so small that the stages write in between
        if not await ledger.write(search.merge):
            break
    path = parts.settings.ledger.path
    if path is not None and not await asyncio.to_thread(empty_wal, path):
        raise LedgerBusy("erased, but the ledger's -wal is being read and could not be emptied: do it again")
    return gone


async def _erased(parts: Parts, contacts: Sequence[int], mentioned: Sequence[int], traces: set[str]) -> Counter[str]:
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while True:
        try:
            now = parts.clock.now()
            return await parts.ledger.write(forgetting.erase, contacts, mentioned, traces, now=now, alone=False)
        except forgetting.InTheWay as error:
            if loop.time() > end:
                raise LedgerBusy(
                    f"{error}: nothing new is asked or written about them; do it again in a minute"
                ) from error
        await asyncio.sleep(LOOK)


def export(tx: Tx, who: str, prices: Any) -> dict[str, Any]:
    """All that is held on a person. Raises SyncdError where that is nothing."""
    contacts = the_person(tx, who)
    if not contacts:
        raise SyncdError(f"nothing is held on {who}; `syncd contacts NAME` looks for a name")
    return exports.person(tx, contacts, prices)


def signs_of(values: Iterable[str]) -> list[Sign]:
    """What is to be left alone, as it was typed. Raises ValueError."""
    found = [suppression.read(value) for value in values if value.strip()]
    if not found:
        raise ValueError("say who: an e-mail, a domain, a profile, a phone with +, or connection/object/id")
    return found


def entry_of(tx: Tx, value: str) -> str:
    """The one entry of the suppression list that a value, or the beginning of an id, means. Raises SyncdError."""
    entries = suppressions.named(tx, value)
    if len(entries) != 1:
        which = f"can be {len(entries)} entries: write more of the id" if entries else "is not on the list"
        raise SyncdError(f"{value!r} {which}; `syncd suppress list` shows what there is")
    return entries[0].digest


def listed(tx: Tx) -> list[dict[str, Any]]:
    """The suppression list; whom an entry is about can't be read from it."""
    return [{"id": one.id, **asdict(one)} for one in suppressions.entries(tx)]
