"""The world of the far journey: people with a story each, a CRM and two providers that remember what happened.

In here: who they are and how the vendors treat them. Everything that happens is a line in world.log,
so the world survives the process; a misfortune strikes once. How a process travels: `far_journey`; what must
be true in the end: `far_verdict`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Skip, Split, Trouble
from syncd.contract.model import (
    ASKED,
    Author,
    Candidate,
    Change,
    Delivery,
    Field,
    Grade,
    Identity,
    Page,
    Receipt,
    Selection,
    Source,
    Submission,
    WriteOutcome,
    WriteStatus,
)
from syncd.contract.pacing import Window
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .journey import World, asked_of, request_of

EMAIL, PHONE = Field.EMAIL, Field.PHONE


@dataclass(frozen=True, slots=True)
class Person:
    """A contact. `typed`: what it holds from the start. `handle`: whose profile it shows, "" for none."""

    name: str
    typed: Mapping[str, str]
    handle: str = ""
    unknown: bool = False  # no provider finds anything

    @property
    def truth(self) -> dict[Field, str]:
        number = sum(map(ord, self.handle)) % 100
        return {EMAIL: f"{self.handle}@acme.example.com", PHONE: f"+4420794601{number:02d}"}


_PHONE, _MAIL = {"phone": "+442079460000"}, {"email": "typed@acme.example.com"}
_STORIES = {
    "Ned": _PHONE,  # filled after the copy was made that the ledger was restored from
    "Oz": _MAIL,  # waits for a provider that is not configured any more
    "Max": _PHONE,  # was asked about after the copy was made: his answer comes to a ledger that forgot the call
    "Ada": {},
    "Bo": _PHONE,  # ann is asked too fast
    "Cy": _PHONE,  # ann refuses him for good
    "Di": _PHONE,  # ann's answer is lost, the call was carried out
    "Ed": _PHONE,  # ann's answer is lost, the call was not carried out
    "Flo": _PHONE,  # ann never calls back
    "Gus": _PHONE,  # ann calls back in riddles first
    "Hal": _PHONE,  # nobody knows him
    "Ivy": _PHONE,
    "Jo": _PHONE,  # a colleague is quicker than our write and slower than our read
    "Kit": _PHONE,  # the CRM's answer to a write is lost
    "Lou": _PHONE,  # the CRM says that it is written, and it is not
    "Pia": _MAIL,  # bob refuses every batch with her in it
    "Qi": _PHONE,  # ann's key is revoked when his turn comes
    "Rex": _MAIL,  # bob's answer is lost, the call was not carried out
    "Una": _PHONE,  # shows no profile
    "Val": _PHONE,  # what was written to her is to be put back
    "Wim": _PHONE,  # to him, too; a colleague is quicker than our write and slower than our read
}
PEOPLE: dict[str, Person] = {
    str(501 + place): Person(name, typed, "" if name == "Una" else name.lower(), name == "Hal")
    for place, (name, typed) in enumerate(_STORIES.items())
}
PEOPLE[str(501 + len(PEOPLE))] = Person("Ivy", _PHONE, "ivy")  # the same person once more
_IDS = {person.name: contact for contact, person in reversed(PEOPLE.items())}
COLLEAGUES = {"Jo": "jo.herself@acme.example.com", "Ned": "ned.himself@acme.example.com"}
UNDONE = ("Val", "Wim")
LATER = "wim.himself@acme.example.com"
FORGOTTEN = "f" * 32  # the call about Max


def id_of(name: str) -> str:
    """The contact of that name."""
    return _IDS[name]


class Memory(World):
    """What happened, for this process and the next; `time` is when."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._facts = self.facts()

    def note(self, what: str, **facts: Any) -> None:
        super().note(what, **facts)
        self._facts.append({"what": what, **facts})

    def happened(self, what: str) -> list[dict[str, Any]]:
        return [fact for fact in self._facts if fact["what"] == what]

    def strikes(self, misfortune: str) -> bool:
        """Once in the life of a world, and not before the journey begins."""
        if not self.happened("time") or misfortune in {fact["of"] for fact in self.happened("struck")}:
            return False
        self.note("struck", of=misfortune)
        return True


class Crm(FakeCrm):
    """Keeps its history in the world's memory; knows as many of the people as there are by now."""

    def __init__(self, world: Memory, people: int = len(PEOPLE)) -> None:
        super().__init__("crm", page=8)
        self._world: Memory | None = None
        for person in list(PEOPLE.values())[:people]:
            profile = f"https://www.linkedin.com/in/{person.handle}" if person.handle else None
            self.add(Identity(first_name=person.name, linkedin_url=profile), **person.typed)
        for fact in world.happened("edit"):
            if fact["contact"] in self.records:
                super().edit(fact["contact"], fact["name"], fact["value"], Author(fact["by"]))
        self._world = world

    def edit(self, record_id: str, name: str, value: str, by: Author = Author.PERSON) -> None:
        if self._world is not None:
            self._world.note("edit", contact=record_id, name=name, value=value, by=by)
        super().edit(record_id, name, value, by)

    def strikes(self, misfortune: str) -> bool:
        return self._world is not None and self._world.strikes(misfortune)

    async def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        if self.strikes("the CRM's token is revoked"):
            raise Halt("revoked", trouble=Trouble.CREDENTIALS, cure="a new one")
        if self.strikes("the CRM is away for a moment"):
            raise Retry("away")
        async for page in super().pull(selection, cursor):
            yield page

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        if self.strikes("the CRM does not take a write"):
            raise Retry("not now")
        about = {change.ref.id: change for change in changes}
        if id_of("Jo") in about and self.strikes("a colleague"):
            self.edit(id_of("Jo"), "email", COLLEAGUES["Jo"])
        back = about.get(id_of("Jo"))
        if back is not None and back.new == COLLEAGUES["Jo"] and self.strikes("it can't be put back yet"):
            return [WriteOutcome(ref=c.ref, field=c.field, status=WriteStatus.UNKNOWN) for c in changes]
        undone = about.get(id_of("Wim"))
        if undone is not None and undone.new == "" and self.strikes("a colleague is quicker than an undo"):
            self.edit(id_of("Wim"), "email", LATER)
        if undone is not None and undone.new == LATER and self.strikes("it can't be put back after an undo yet"):
            return [WriteOutcome(ref=c.ref, field=c.field, status=WriteStatus.UNKNOWN) for c in changes]
        lagging = [c for c in changes if c.ref.id == id_of("Lou") and self.strikes("a write that is none")]
        outcomes = await super().write([c for c in changes if c not in lagging], selection)
        outcomes += [WriteOutcome(ref=c.ref, field=c.field, status=WriteStatus.WRITTEN) for c in lagging]
        return [self._told(outcome) for outcome in outcomes]

    def _told(self, outcome: WriteOutcome) -> WriteOutcome:
        lost = outcome.ref.id == id_of("Kit") and self.strikes("a write's answer is lost")
        return replace(outcome, status=WriteStatus.UNKNOWN) if lost else outcome


class Vendor(FakeProvider):
    """Writes down what it takes on, and asks its price for it."""

    def __init__(self, world: Memory, name: str, *, bulk: bool) -> None:
        shape = replace(CAPABILITIES, batch=4 if bulk else 1, combines=bulk)
        super().__init__(name, capabilities=shape)
        self.world = world
        self.finds = {
            (contact, field): (Candidate(value=person.truth[field], grade=Grade.VALID),)
            for contact, person in PEOPLE.items()
            for field in ASKED
            if person.handle and not person.unknown
        }

    async def submit(self, submission: Submission) -> Receipt:
        names = {PEOPLE[one.ref.id].name for one in submission.requests}
        (self._refuse_bulk if self.capabilities.combines else self._refuse)(names)
        asked = [asked_of(one) for one in submission.requests]
        self.world.note("call", by=self.name, id=submission.id, asked=asked, url=submission.callback_url)
        if "Di" in names and not self.capabilities.combines and self.world.strikes("a receipt is lost"):
            raise InDoubt("no answer")
        return await super().submit(submission)

    def _refuse(self, names: set[str]) -> None:
        if "Bo" in names and self.world.strikes("too fast"):
            raise RateLimited("slow down", after=20.0, windows=(Window(60.0, 500),))
        if "Cy" in names:
            raise Skip("he is not served")
        if "Ed" in names and self.world.strikes("a question is lost"):
            raise InDoubt("no answer")
        if "Qi" in names and self.world.strikes("a provider's key is revoked"):
            raise Halt("revoked", trouble=Trouble.CREDENTIALS, cure="a new one")

    def _refuse_bulk(self, names: set[str]) -> None:
        if "Pia" in names:
            raise Split("one of them is not served") if len(names) > 1 else Skip("she is not served")
        if "Rex" in names and self.world.strikes("a bulk is lost"):
            raise InDoubt("no answer")
        if self.world.strikes("a provider is away"):
            raise Retry("away")

    async def poll(self, submission: Submission) -> Delivery | None:
        self.polled.append(submission.id)
        return self.delivery(submission, Source.POLL) if calls_back_never(submission) else None


def calls_back_never(submission: Submission) -> bool:
    """Is this one's answer only to be had by asking for it?"""
    return [one.ref.id for one in submission.requests] == [id_of("Flo")]


def calls(world: World) -> list[tuple[str, Submission]]:
    """Every call that a provider took on, with the provider's name."""
    return [
        (
            call["by"],
            Submission(
                id=call["id"],
                requests=tuple(request_of(one) for one in call["asked"]),
                callback_url=call["url"],
            ),
        )
        for call in world.happened("call")
    ]
