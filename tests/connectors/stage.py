"""A provider on stage with its emulated vendor: submit, callbacks over real sockets, parse.

The emulators know the truth about everybody, so each answer can be compared with it. The sandbox
shares no code with the connectors; what it knows of the vendors, it has from their documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import SecretStr

from connectors import fullenrich, zeliq
from syncd.contract import normal
from syncd.contract.model import (
    CONTACT_EVENT,
    Answer,
    ContactRef,
    Delivery,
    EnrichmentRequest,
    Field,
    Identity,
    Outcome,
    Source,
    Submission,
)
from syncd.contract.ports import Provider
from syncd.contract.testing.server import Reply, Script, scripted
from syncd.contract.testing.surroundings import DictMemory, tools
from syncd.sandbox.fullenrich import KEY as FULLENRICH_KEY
from syncd.sandbox.server import Sandbox
from syncd.sandbox.world import Person
from syncd.sandbox.zeliq import KEY as ZELIQ_KEY

FAST = 6_000.0  # a minute of the sandbox in ten milliseconds
PATIENCE = 30.0  # real seconds
USABLE = ("valid", "probable", "catch_all", "unknown")


@dataclass
class Stage:
    """One provider, its vendor, and what came in on the callback address."""

    box: Sandbox
    provider: Provider
    inbox: Script

    def request(self, person: Person, fields: tuple[Field, ...], identity: Identity | None = None) -> EnrichmentRequest:
        known = identity or identity_of(person)
        ref = ContactRef(connection="crm", object="contacts", id=person.key)
        return EnrichmentRequest(id=f"attempt-{person.key}", ref=ref, identity=known, fields=fields)

    def submission(self, *requests: EnrichmentRequest) -> Submission:
        """A call that tells of each person what the provider's best way to ask tells."""
        asked = tuple(replace(one, identity=self.provider.questions(one)[0].told) for one in requests)
        return Submission(
            id="batch-1",
            requests=asked,
            callback_url=f"{self.inbox.url}/callbacks?a=1&m=2",
            contact_url=f"{self.inbox.url}/contacts?a=1&m=2",
        )

    def people(self, count: int) -> list[Person]:
        return [person for person in self.box.world.people if person.linkedin_url][:count]

    async def answers(self, submission: Submission) -> list[Answer]:
        """What the callbacks that have come since the last time say, in order of arrival."""
        async with asyncio.timeout(PATIENCE):
            await self.box.zeliq.settled()
            await self.box.fullenrich.settled()
        came, self.inbox.calls[:] = list(self.inbox.calls), []
        deliveries = [
            Delivery(
                submission_id="batch-1",
                source=Source.CALLBACK,
                body=call.body,
                headers=call.headers,
                part=CONTACT_EVENT if call.path == "/contacts" else "",
            )
            for call in came
        ]
        assert all(call.query == {"a": "1", "m": "2"} for call in came)
        assert all(self.provider.authenticate(one) for one in deliveries)
        return [self.provider.parse(one, submission) for one in deliveries]

    async def ask(self, *requests: EnrichmentRequest) -> list[Answer]:
        submission = self.submission(*requests)
        await self.provider.submit(submission)
        return await self.answers(submission)


def identity_of(person: Person) -> Identity:
    return normal.tidy(
        Identity(
            first_name=person.first_name,
            last_name=person.last_name,
            company=person.company,
            domain=person.domain,
            linkedin_url=person.linkedin_url,
        )
    )


def agreeing(answer: Answer, person: Person) -> bool:
    """Does every result speak of this person, in each place that names somebody?"""
    names = {person.first_name, person.last_name}
    return all(
        one.linkedin_url == normal.linkedin(person.linkedin_url) or {one.first_name, one.last_name} <= names
        for result in answer.results
        for one in result.said
    )


def by_name(person: Person) -> Identity:
    known = identity_of(person)
    return Identity(first_name=known.first_name, last_name=known.last_name, domain=known.domain)


def truth(stage: Stage, vendor: str, person: Person, field: Field) -> tuple[Outcome, set[str]]:
    """What the vendor would find for somebody: outcome, and all values without their spacing."""
    finds = stage.box.world.finds(person, vendor, field)
    found = any(find.status in USABLE for find in finds)
    return Outcome.FOUND if found else Outcome.NOT_FOUND, {plain(find.value) for find in finds}


def plain(value: str) -> str:
    return value if "@" in value else "".join(c for c in value if c in "+0123456789")


def seen(answer: Answer) -> dict[tuple[str, Field], tuple[Outcome, set[str]]]:
    return {(r.request_id, r.field): (r.outcome, {plain(c.value) for c in r.candidates}) for r in answer.results}


Act = Callable[[Stage], Awaitable[None]]


def on_zeliq(act: Act, *faults: str, memory: DictMemory | None = None, key: str = ZELIQ_KEY, **options: object) -> None:
    async def main() -> None:
        with scripted(default=Reply()) as inbox:
            async with Sandbox(3, 80, FAST, faults=faults, zeliq=options) as box:
                told = zeliq.Options(api_key=SecretStr(key))
                provider = zeliq.Connector("z", told, box.urls["zeliq"], tools(memory))
                try:
                    await act(Stage(box, provider, inbox))
                finally:
                    await provider.aclose()

    asyncio.run(main())


def on_fullenrich(
    act: Act, *faults: str, version: str = "v2", key: str = FULLENRICH_KEY, old: str | None = None, **options: object
) -> None:
    async def main() -> None:
        with scripted(default=Reply()) as inbox:
            async with Sandbox(3, 80, FAST, faults=faults, fullenrich=options) as box:
                told = fullenrich.Options.model_validate({"api_key": key, "previous_api_key": old, "version": version})
                provider = fullenrich.Connector("f", told, box.urls["fullenrich"], tools())
                try:
                    await act(Stage(box, provider, inbox))
                finally:
                    await provider.aclose()

    asyncio.run(main())


def findable(stage: Stage, vendor: str, field: Field, *, beyond: Sequence[Person] = ()) -> Person:
    """Somebody for whom the vendor finds something usable."""
    able = (p for p in stage.people(80) if p not in beyond and truth(stage, vendor, p, field)[0] is Outcome.FOUND)
    return next(able)
