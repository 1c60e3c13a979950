"""A short journey of three people from the CRM and back, in a process that a test may kill anywhere.

    python -m tests.faults.journey FOLDER    or, many times over, as a child of the `fork_server`

The ledger is FOLDER/ledger.db. What the world knows is in FOLDER/world.log, a line for each call that
a provider took on, each answer of which it was told that it is kept, and each value that came to stand
in the CRM: it survives the process. Run it again, and it goes on from whatever was left.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from syncd.contract.model import (
    Author,
    Candidate,
    Change,
    ContactRef,
    EnrichmentRequest,
    Field,
    Grade,
    Receipt,
    Selection,
    Submission,
    WriteOutcome,
    WriteStatus,
)
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.results import dump_identity, load_identity
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider
from tests.unit.harness import EMAIL, ONE_BY_ONE, Harness

TRIES = 3
PEOPLE = {"501": "Ada", "502": "Bo", "503": "Cy"}


def value_of(contact: str) -> str:
    """The truth about a contact."""
    return f"{PEOPLE[contact].lower()}@acme.example.com"


class World:
    """What happened outside of the process: appended line by line, each by one write."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "world.log"

    def note(self, what: str, **facts: Any) -> None:
        """It has happened when this returns."""
        with self._path.open("ab", buffering=0) as log:
            log.write(json.dumps({"what": what, **facts}).encode() + b"\n")

    def facts(self) -> list[dict[str, Any]]:
        """All that happened, in order."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [json.loads(line) for line in lines]

    def happened(self, what: str) -> list[dict[str, Any]]:
        """Everything of a kind, in order."""
        return [fact for fact in self.facts() if fact["what"] == what]


def asked_of(request: EnrichmentRequest) -> dict[str, Any]:
    """What a provider remembers of a request; it says again what it was told of the person."""
    told = dump_identity(request.identity)
    return {"id": request.id, "contact": request.ref.id, "fields": request.fields, "told": told}


def request_of(asked: dict[str, Any]) -> EnrichmentRequest:
    """The reverse."""
    return EnrichmentRequest(
        id=asked["id"],
        ref=ContactRef(connection="crm", object="contacts", id=asked["contact"]),
        identity=load_identity(asked["told"]),
        fields=tuple(Field(word) for word in asked["fields"]),
    )


class Vendor(FakeProvider):
    """Takes on a call by writing it down, then answers."""

    world: World

    async def submit(self, submission: Submission) -> Receipt:
        asked = [asked_of(one) for one in submission.requests]
        self.world.note("call", id=submission.id, asked=asked)
        return await super().submit(submission)


class Crm(FakeCrm):
    """Writes down what came to stand in it."""

    world: World

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        outcomes = await super().write(changes, selection)
        for outcome, change in zip(outcomes, changes, strict=True):
            if outcome.status is WriteStatus.WRITTEN:
                self.world.note("write", contact=change.ref.id, value=change.new)
        return outcomes


def open_harness(folder: Path) -> Harness:
    """The harness as a process finds it: the ledger that was left, and the world as it is by now."""
    crm = Crm("crm")
    crm.world = Vendor.world = World(folder)
    vendor = Vendor("ann", capabilities=ONE_BY_ONE)
    harness = Harness(folder, crm=crm, providers=[vendor], fields={EMAIL: ["ann"]})
    harness.parts = replace(harness.parts, new_id=lambda: secrets.token_hex(16))
    for contact, name in PEOPLE.items():
        harness.person(name)
        vendor.finds[contact, EMAIL] = (Candidate(value=value_of(contact), grade=Grade.VALID),)
    for fact in crm.world.happened("write"):
        crm.edit(fact["contact"], "email", fact["value"], by=Author.MACHINE)
    return harness


def calls(world: World) -> Iterator[Submission]:
    """Every call that the provider took on."""
    for call in world.happened("call"):
        requests = tuple(request_of(one) for one in call["asked"])
        yield Submission(id=call["id"], requests=requests, callback_url="")


def travel(harness: Harness, world: World) -> None:
    """From wherever things stand to where nothing moves any more."""
    vendor = harness.fake
    patiently(harness.recover)
    patiently(harness.ask)
    for call in calls(world):
        patiently(partial(harness.deliver, vendor.delivery(call)))
        world.note("acknowledged", id=call.id)
    patiently(harness.inbox)
    patiently(harness.verify)
    for _ in range(3):
        harness.clock.time += 60
        patiently(harness.writeback)


def patiently(step: Callable[[], object]) -> None:
    """As the daemon and the vendors do: what could not be written now is tried again, a few times here."""
    for _ in range(TRIES):
        try:
            step()
        except LedgerFailed:
            raise
        except LedgerError as error:
            refused = error
        else:
            return
    raise refused


def main(folder: Path) -> None:
    """One process."""
    harness = open_harness(folder)
    travel(harness, World(folder))
    harness.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
