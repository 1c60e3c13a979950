"""The two simulated providers: Zeliq and FullEnrich as their documents describe them.

Small on purpose: the emulators of `syncd.sandbox` show every shape, these show every sequence. Both say whom they
have found, as they know them: by a nickname now and then, or by a profile's new address.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from syncd.contract.model import Field, Grade, Identity

from .people import NICKNAMES, Find, Person
from .timeline import HOUR, spawn
from .vendor import PRICE, Letter, Purchase, Reply, Vendor

if TYPE_CHECKING:
    from .mixture import Mixture
    from .world import World


class Zeliq(Vendor):
    """One person and one field per call; the answer comes by callback or not at all; no signature."""

    name = "zeliq"

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request, carried out."""
        if (refused := self.refusal(headers.get("x-api-key", ""))) is not None:
            return refused
        if path.endswith("/credits/balance"):
            return Reply(200, {"credit_balance": self.credits})
        fld = Field.PHONE if path.endswith("/phone") else Field.EMAIL
        asked = json.loads(body)
        person = self.world.market.person(self.name, asked)
        if person is not None and person.odd:
            return Reply(400, {"message": "this person can't be looked up", "statusCode": 400})
        if PRICE[fld] > self.credits:
            return Reply(402, {"message": "No Credit Remaining", "statusCode": 402})
        return self._take(fld, asked, person)

    def _take(self, fld: Field, asked: dict[str, Any], person: Person | None) -> Reply:
        letter = Letter(self.name, asked["callbackUrl"], b"", {})
        query = self.world.query(letter.url)
        ref = f"{query['crm']}/{query['object']}/{query['contactId']}"
        purchase = self.buy(query["a"], "", ref, fld, person, asked)
        spawn(self.world, self._work(purchase, asked, letter))
        return Reply(202, {"status": 202, "jobId": f"job-{query['a']}"})

    async def _work(self, purchase: Purchase, asked: Mapping[str, Any], letter: Letter) -> None:
        mixture = self.world.mixture
        if not mixture.hit("early"):
            await asyncio.sleep(self.latency())
        letter.purchases, letter.asked = (purchase,), asked
        if mixture.hit("failed"):
            purchase.useless = purchase.failed = True
            failed = {"statusCode": 500, "error": "Internal Server Error", "message": "it failed"}
            self.send(replace(letter, body=json.dumps(failed).encode()))
            if not mixture.hit("answered_after_all"):
                return
            await asyncio.sleep(mixture.rng.uniform(60, 10 * HOUR))
        letter.body = json.dumps(self._say(purchase, asked, letter)).encode()
        self.send(letter)

    def _say(self, purchase: Purchase, asked: Mapping[str, Any], letter: Letter) -> dict[str, Any]:
        mixture, person, fld = self.world.mixture, purchase.person, purchase.field
        if mixture.hit("stranger"):
            person = self.world.market.stranger(self.name, fld, person, purchase.about)
        purchase.useless |= not self.world.fits(purchase.ref, person)
        find = None if person is None else person.finds.get((self.name, fld))
        if find is None or person is None or not self.charge(purchase):
            return {"credit_used": 0, "contact": {"linkedin_url": asked.get("linkedin_url")}}
        if find.word == "invalid":  # refunded
            purchase.billed, self.billed[purchase.submission] = 0, 0
            self.credits += PRICE[fld]
        if find.grade is not Grade.INVALID and person is purchase.about:
            letter.finds = ((purchase, find),)
        mailbox = asked.get("email") if person is purchase.person else f"{person.key}@elsewhere.example.com"
        who = as_known(person, mixture)
        return {"credit_used": purchase.billed, "contact": _zeliq_contact(who, fld, find, mailbox)}

    def billed_in_silence(self) -> set[str]:
        lost = (letter for letter in self.letters if letter.acknowledged is None)
        return {letter.submission for letter in lost if any(one.failed for one in letter.purchases)}

    def fake(self, letter: Letter) -> bytes:
        return self._made_up(letter, self.world.market.people[0].truth)

    def leak(self, letter: Letter) -> Letter | None:
        bought = letter.purchases[0]
        stranger = self.world.market.stranger(self.name, bought.field, bought.person, bought.about)
        if stranger is None:
            return None
        return Letter(self.name, letter.url, self._made_up(letter, stranger.truth), {}, genuine=False)

    def mute(self, letter: Letter) -> bytes | None:
        return self._made_up(letter, Identity())

    def more(self, letter: Letter) -> bytes | None:
        about = letter.purchases[0].about
        return None if about is None else self._made_up(letter, about.truth)

    def _made_up(self, letter: Letter, who: Identity) -> bytes:
        fld = letter.purchases[0].field if letter.purchases else Field.EMAIL
        find = Find("forged@forgery.example.com" if fld is Field.EMAIL else "+447700900999", "valid", Grade.VALID)
        return json.dumps({"credit_used": PRICE[fld], "contact": _zeliq_contact(who, fld, find, None)}).encode()


def as_known(person: Person, mixture: Mixture) -> Identity:
    """Whom a provider says that it has found."""
    who = person.truth
    if who.first_name in NICKNAMES and mixture.hit("nickname"):
        who = replace(who, first_name=NICKNAMES[who.first_name])
    return replace(who, linkedin_url=person.profiles[1]) if mixture.hit("renamed_profile") else who


def _zeliq_contact(who: Identity, fld: Field, find: Find, mailbox: str | None) -> dict[str, Any]:
    """`mailbox`: asked by e-mail, Zeliq echoes that; a stranger's answer brings the stranger's own."""
    echo = {name: getattr(who, name) for name in ("first_name", "last_name", "domain", "linkedin_url")}
    if fld is Field.PHONE:
        spaced = f"{find.value[:3]} {find.value[3:7]} {find.value[7:]}"
        return {**echo, "email": mailbox, "most_probable_phone": spaced, "phones": [{"phone": spaced}]}
    best = {"most_probable_email": find.value, "most_probable_email_status": find.word}
    return {**echo, **best, "emails": [{"email": find.value, "status": find.word}]}


@dataclass(slots=True)
class Job:
    """A bulk of FullEnrich's. `events`: where it tells of single contacts."""

    id: str
    submission: str
    url: str
    contacts: list[dict[str, Any]]
    purchases: list[list[Purchase]]
    key: str  # what it is signed with
    events: str | None
    status: str = "IN_PROGRESS"
    items: list[dict[str, Any]] = field(default_factory=list)
    finds: list[tuple[Purchase, Find]] = field(default_factory=list)


class FullEnrich(Vendor):
    """Bulks, both fields at once; callbacks are signed, and results can be polled."""

    name = "fullenrich"

    def __init__(self, world: World, key: str, left: int) -> None:
        super().__init__(world, key, left)
        self.jobs: dict[str, Job] = {}

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request, carried out."""
        if (refused := self.refusal(headers.get("authorization", "").removeprefix("Bearer "))) is not None:
            return refused
        if path.endswith("/account/credits"):
            return Reply(200, {"balance": self.credits})
        if method == "GET":
            return self._result(path.rpartition("/")[2])
        return self._start(json.loads(body))

    def _start(self, asked: dict[str, Any]) -> Reply:
        people = [self.world.market.person(self.name, contact) for contact in asked["data"]]
        if any(person is not None and person.odd for person in people):
            return Reply(400, {"code": "error.enrichment.domain.invalid", "message": "one of them is odd"})
        if self.credits < min(PRICE.values()):
            return Reply(402, {"code": "error.credits", "message": "no credits"})
        query = self.world.query(asked["webhook_url"])
        job = Job(
            id=f"fe-{query['a']}",
            submission=query["a"],
            url=asked["webhook_url"],
            contacts=asked["data"],
            purchases=[self._taken(query["a"], c, p) for c, p in zip(asked["data"], people, strict=True)],
            key=self.key,
            events=asked.get("webhook_events", {}).get("contact_finished"),
        )
        self.jobs[job.id] = job
        spawn(self.world, self._work(job))
        return Reply(200, {"enrichment_id": job.id})

    def _taken(self, submission: str, contact: dict[str, Any], person: Person | None) -> list[Purchase]:
        fields = [Field.EMAIL if word == "contact.work_emails" else Field.PHONE for word in contact["enrich_fields"]]
        ours = contact["custom"]
        ref = f"{ours['connection']}/{ours['object']}/{ours['contact_id']}"
        return [self.buy(submission, ours["attempt_id"], ref, fld, person, contact) for fld in fields]

    async def _work(self, job: Job) -> None:
        if not self.world.mixture.hit("early"):
            await asyncio.sleep(self.latency())
        order = list(range(len(job.contacts)))
        self.world.mixture.rng.shuffle(order)
        for place in order:
            item, finds = self._look_up(job, place)
            job.items.append(item)
            job.finds += finds
            cut_short = any(p.skipped for p in job.purchases[place])
            if job.events and not cut_short and self.world.mixture.hit("partial"):
                self.send(self._letter(job, job.events, "IN_PROGRESS", [item], job.purchases[place], finds))
                await asyncio.sleep(self.world.mixture.rng.uniform(0, 5))
        self._end(job)

    def _end(self, job: Job) -> None:
        failed = self.world.mixture.hit("failed")
        everything = [p for purchases in job.purchases for p in purchases]
        skipped = any(p.skipped for p in everything)
        job.status = "CREDITS_INSUFFICIENT" if skipped else "CANCELED" if failed else "FINISHED"
        for purchase in everything:
            if job.status == "CANCELED" and not purchase.billed:  # nobody can tell whether there was nothing
                purchase.failed = purchase.useless = True
            if skipped:  # nobody can tell who was looked up and who was not
                purchase.skipped = not purchase.billed
        self.send(self._letter(job, job.url, job.status, job.items, everything, job.finds))

    def _look_up(self, job: Job, place: int) -> tuple[dict[str, Any], list[tuple[Purchase, Find]]]:
        contact, purchases = job.contacts[place], job.purchases[place]
        found: dict[str, Any] = {}
        finds: list[tuple[Purchase, Find]] = []
        person = purchases[0].person
        if self.world.mixture.hit("stranger"):
            person = self.world.market.stranger(self.name, purchases[0].field, person, purchases[0].about)
        for purchase in purchases:
            purchase.useless = not self.world.fits(purchase.ref, person)
            find = None if person is None else person.finds.get((self.name, purchase.field))
            if find is None or (find.word != "INVALID" and not self.charge(purchase)):
                continue
            if purchase.field is Field.EMAIL:
                found["most_probable_work_email"] = {"email": find.value, "status": find.word}
                found["work_emails"] = [{"email": find.value, "status": find.word}]
            else:
                found["most_probable_phone"] = {"number": find.value, "region": "GB"}
                found["phones"] = [{"number": find.value, "region": "GB"}]
            if find.grade is not Grade.INVALID and person is purchase.about:
                finds.append((purchase, find))
        item = {"input": _echo(contact), "custom": contact["custom"], "contact_info": found}
        return item | ({} if person is None else {"profile": _profile(as_known(person, self.world.mixture))}), finds

    def _letter(
        self,
        job: Job,
        url: str,
        status: str,
        items: list[dict[str, Any]],
        purchases: list[Purchase],
        finds: list[tuple[Purchase, Find]],
    ) -> Letter:
        body = json.dumps(self._body(job, status, items)).encode()
        return Letter(self.name, url, body, self._signed(body, job.key), tuple(purchases), tuple(finds))

    def _body(self, job: Job, status: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": job.id, "status": status, "cost": {"credits": self.billed[job.submission]}, "data": items}

    def _result(self, job_id: str) -> Reply:
        job = self.jobs.get(job_id)
        if job is None:
            return Reply(404, {"code": "error.enrichment.not_found", "message": "no such job"})
        if job.status == "IN_PROGRESS":
            return Reply(400, {"code": "error.enrichment.in_progress", "message": "still running"})
        self.polled.setdefault(job.submission, self.world.now)
        return Reply(402 if job.status == "CREDITS_INSUFFICIENT" else 200, self._body(job, job.status, job.items))

    def seal(self, body: bytes) -> dict[str, str]:
        return self._signed(body, self.key)

    def _signed(self, body: bytes, key: str) -> dict[str, str]:
        return {"x-signature-sha1": hmac.new(key.encode(), body, hashlib.sha1).hexdigest()}

    def fake(self, letter: Letter) -> bytes:
        return letter.body.replace(b'"email": "', b'"email": "forged-').replace(b"+44770090", b"+44770099")

    def leak(self, letter: Letter) -> Letter:
        # Who knows the address alone can't sign: it is refused.
        return Letter(self.name, letter.url, self.fake(letter), {"x-signature-sha1": "0" * 40}, genuine=False)


def _echo(contact: Mapping[str, Any]) -> dict[str, Any]:
    """FullEnrich's own names for what it was asked."""
    return {
        "first_name": contact.get("first_name"),
        "last_name": contact.get("last_name"),
        "company_domain": contact.get("domain"),
        "professional_network_url": contact.get("linkedin_url"),
    }


def _profile(who: Identity) -> dict[str, Any]:
    """Whom FullEnrich has found."""
    return {
        "first_name": who.first_name,
        "last_name": who.last_name,
        "social_profiles": {"professional_network": {"url": who.linkedin_url}},
        "employment": {"current": {"company": {"domain": who.domain}}},
    }
