"""What both simulated providers have in common: keys, credits, the bill, and how callbacks travel.

A `Purchase` is one contact's one field that a provider took on: the judge counts these, and nothing
that the daemon says. What each provider's bodies look like is in `vendors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from syncd.contract.model import Field

from .people import Find, Person
from .timeline import DAY, HOUR, spawn

if TYPE_CHECKING:
    from .world import World

PRICE = {Field.EMAIL: 1, Field.PHONE: 10}
TOLD = ("first_name", "last_name", "company", "company_name", "domain", "linkedin_url", "email")
AT_ONCE = 3  # paid calls of which nobody can tell what became of them
WELCOME = 20 * DAY  # for so long an answer must be taken
PAUSES = (30.0, 60.0, 300.0, 900.0, 3600.0, 4 * HOUR)  # between the tries of a callback


@dataclass(slots=True)
class Purchase:
    """One field of one contact that was accepted. `wall` is the daemon's own clock."""

    vendor: str
    at: float
    wall: float
    submission: str
    request: str
    ref: str
    field: Field
    person: Person | None  # whom the provider takes it for
    billed: int = 0
    skipped: bool = False  # the credits ran out first
    told: float | None = None  # when an answer to it was acknowledged
    ahead: float = 0.0  # seconds by which the daemon's clock had been ahead at most by then
    outside: float = 0.0  # seconds for which its record had not been in the selection by then
    again: bool = False  # its record holds a value of ours that is to be verified again
    in_vain: float = 0.0  # seconds for which it had been filled (but for ours that is verified again), or gone by then
    crowd: int = 0  # other contacts that an answer was awaited for while its CRM had never taken a write
    arrived: bool = False  # the answer to the call came back
    shut: float | None = None  # since when its CRM had refused whatever was written
    cut_off: float = 0.0  # seconds for which no callback could have reached us by then
    useless: bool = False  # the answer says that it failed, or speaks of somebody else
    failed: bool = False  # the provider says that it failed, and has charged nothing
    about: Person | None = None  # whose record it was
    asked: frozenset[tuple[str, str]] = frozenset()  # all that the provider was told of the person

    def is_awaited(self, now: float) -> bool:
        """Was it bought lately, and is its answer on its way, as the daemon knows as well?"""
        return self.arrived and self.told is None and now - self.at < HOUR


@dataclass(slots=True)
class Letter:
    """One callback. `purchases` are those that it speaks of; `genuine` ones come from the vendor."""

    vendor: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    purchases: tuple[Purchase, ...] = ()
    finds: tuple[tuple[Purchase, Find], ...] = ()  # of the right person
    asked: Mapping[str, Any] = field(default_factory=dict)
    genuine: bool = True
    acknowledged: float | None = None

    @property
    def submission(self) -> str:
        return parse_qs(urlsplit(self.url).query).get("a", [""])[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP."""

    status: int
    body: Any
    html: bool = False


class Vendor:
    """A provider's account: what it has sold, and what it has told."""

    name: str

    def __init__(self, world: World, key: str, left: int) -> None:
        self.world = world
        self.key = key
        self.credits = left
        self.purchases: list[Purchase] = []
        self.letters: list[Letter] = []
        self.billed: dict[str, int] = {}  # by submission
        self.tampered: set[str] = set()  # submissions whose address somebody else has used
        self.trouble: str = ""
        self.spoilt = 0  # paid calls that met a bad gateway in its present trouble
        self._lives = 0  # of the daemon, when that began
        self.polled: dict[str, float] = {}  # submissions whose result was fetched

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request, carried out."""
        raise NotImplementedError

    def billed_in_silence(self) -> set[str]:
        """Calls that failed by its word, and were billed after all in an answer that never arrived: only its balance
        tells."""
        return set()

    # --- trouble ------------------------------------------------------------------------------

    async def suffer(self, name: str, seconds: float) -> None:
        """Be in trouble for a while."""
        self.trouble, self.spoilt, self._lives = name, 0, self.world.lives
        await asyncio.sleep(seconds)
        self.trouble = ""

    def spoil(self) -> None:
        """A paid call meets a bad gateway. The first ones have to be the last ones, but for those of another life."""
        self.spoilt += 1
        if self.spoilt > AT_ONCE * (1 + self.world.lives - self._lives):
            self.world.violated("I2", f"{self.spoilt} paid calls were made while {self.name} was out of order")

    # --- for the vendors themselves -----------------------------------------------------------

    def buy(
        self, submission: str, request: str, ref: str, fld: Field, person: Person | None, asked: Mapping[str, Any]
    ) -> Purchase:
        now, since, ref = self.world.now, self.world.cut_off_since, self.world.first_ref(ref)
        purchase = Purchase(self.name, now, self.world.wall_clock.now(), submission, request, ref, fld, person)
        purchase.about = self.world.record(ref)[1].person
        purchase.asked = frozenset((name, asked[name]) for name in TOLD if asked.get(name))
        purchase.outside = self.world.outside(ref)
        purchase.again = self.world.is_due(ref, fld)
        purchase.in_vain = 0.0 if purchase.again else self.world.in_vain(ref, fld)
        purchase.crowd = self.world.awaited_before_a_write(ref)
        purchase.shut = self.world.record(ref)[0].shut_since
        purchase.ahead = self.world.wall_clock.furthest
        purchase.cut_off = 0.0 if since is None else now - since
        self.purchases.append(purchase)
        self.billed.setdefault(submission, 0)
        self.world.note(f"{self.name} takes on {ref} {fld} ({submission[:6]})")
        return purchase

    def charge(self, purchase: Purchase) -> bool:
        """Take the credits for a find; False if there are not enough."""
        price = PRICE[purchase.field]
        if price > self.credits:
            purchase.skipped = True
            return False
        self.credits -= price
        purchase.billed = price
        self.billed[purchase.submission] += price
        return True

    def latency(self) -> float:
        """Seconds until an answer."""
        rng, mixture = self.world.mixture.rng, self.world.mixture
        if mixture.hit("very_late"):
            return rng.uniform(2 * DAY, 20 * DAY)
        return rng.uniform(600, 10 * HOUR) if mixture.hit("slow") else rng.uniform(2, 120)

    def refusal(self, key: str) -> Reply | None:
        """What is wrong with the account, if anything is."""
        if key != self.key or self.trouble == "key_revoked":
            return Reply(401, {"message": "Invalid API key", "code": "error.apikey"})
        if self.trouble == "blocked":
            return Reply(423, {"message": "blocked", "code": "error.blocked"})
        if self.trouble == "web_page":
            return Reply(200, "<html>hello</html>", html=True)
        return None

    def send(self, letter: Letter) -> None:
        """Deliver a callback in the background, with all that can go wrong."""
        self.letters.append(letter)
        spawn(self.world, self._deliver(letter))

    async def tell(self, letter: Letter) -> int | None:
        """One try; returns the status that the vendor sees."""
        status = await self.world.call_back(letter)
        if status == 404 and letter.genuine and self._is_welcome(letter):
            self.world.violated("I1", f"{self.name}'s answer to {letter.submission[:6]} was turned away")
        if status is not None and 200 <= status < 300:
            letter.acknowledged = letter.acknowledged or self.world.now
            for purchase in letter.purchases:
                purchase.told = purchase.told or self.world.now
        return status

    def _is_welcome(self, letter: Letter) -> bool:
        """An address is good for weeks; a clock that was far ahead may have ended it before its time."""
        age = self.world.now - min((p.at for p in letter.purchases), default=0.0)
        return age < WELCOME and self.world.wall_clock.furthest < WELCOME

    async def _deliver(self, letter: Letter) -> None:
        mixture = self.world.mixture
        if mixture.hit("leaked"):
            self.tampered.add(letter.submission)
            if (leaked := self.leak(letter)) is not None:
                await self.tell(leaked)
                await asyncio.sleep(mixture.rng.uniform(0, 600))
        if mixture.hit("mute"):
            await self._tell_of_nobody(letter)
        if mixture.hit("forged"):
            await self._forge(letter)
        if mixture.hit("lost"):
            self.world.note(f"{self.name}'s callback of {letter.submission[:6]} is lost")
            return
        if mixture.hit("garbled"):
            cut = Letter(self.name, letter.url, letter.body[:-7], self.seal(letter.body[:-7]), genuine=False)
            await self.tell(cut)
            await asyncio.sleep(30)
        if mixture.hit("twice"):
            spawn(self.world, self._try(letter))
        await self._try(letter)
        if mixture.hit("replayed"):
            await asyncio.sleep(mixture.rng.uniform(1, 3 * DAY))
            self.world.note(f"somebody replays {letter.submission[:6]}")
            await self.tell(Letter(self.name, letter.url, letter.body, letter.headers, genuine=False))
        if mixture.hit("after_the_last_word"):
            await self._tell_more(letter)

    async def _tell_of_nobody(self, letter: Letter) -> None:
        """Somebody who has seen the address tells of a value without a word about whose it is."""
        body = self.mute(letter)
        if body is not None:
            if any(purchase.ref in self.world.rights.erased for purchase in letter.purchases):
                self.tampered.add(letter.submission)  # nobody can be compared with anybody any more
            await self.tell(Letter(self.name, letter.url, body, {}, genuine=False))
            await asyncio.sleep(self.world.mixture.rng.uniform(0, 600))

    async def _tell_more(self, letter: Letter) -> None:
        """The same after the last word: a made-up value for the right person."""
        last_word = letter.acknowledged is not None and not any(p.useless for p in letter.purchases)
        body = self.more(letter) if last_word and letter.submission not in self.tampered else None
        if body is not None:
            await asyncio.sleep(self.world.mixture.rng.uniform(0, DAY))
            await self.tell(Letter(self.name, letter.url, body, {}, genuine=False))

    async def _try(self, letter: Letter) -> None:
        deaf = self.world.mixture.hit("unheard")
        for pause in (0.0, *PAUSES):
            await asyncio.sleep(pause)
            status = await self.tell(letter)
            if status is not None and 200 <= status < 300 and not deaf:
                return
            deaf = False

    async def _forge(self, letter: Letter) -> None:
        """Somebody guesses: another MAC, another submission, another signature. None may be taken."""
        how = self.world.mixture.rng.choice(("mac", "id", "signature"))
        url, headers, wanted = letter.url, dict(letter.headers), {404}
        body = self.fake(letter)
        if how == "mac":
            url = url[:-4] + ("0000" if url[-4:] != "0000" else "1111")
        elif how == "id":
            url = url.replace(f"a={letter.submission}", f"a={letter.submission[::-1]}x")
        elif headers:
            headers, wanted = dict.fromkeys(headers, "0" * 40), {401}
        else:
            url = url.replace("&m=", "&n=")
        status = await self.tell(Letter(self.name, url, body, headers, genuine=False))
        if status is not None and status not in wanted | {503}:
            self.world.violated("I6", f"a forged callback ({how}) to {self.name} was answered {status}")

    # --- what each vendor says ----------------------------------------------------------------

    def seal(self, body: bytes) -> dict[str, str]:
        """The headers that a callback carries."""
        return {}

    def fake(self, letter: Letter) -> bytes:
        """A body that somebody makes up about the same person."""
        raise NotImplementedError

    def leak(self, letter: Letter) -> Letter | None:
        """What somebody with the real address says about another person."""
        raise NotImplementedError

    def mute(self, letter: Letter) -> bytes | None:
        """A body with a made-up value that names nobody; None where only signed ones are taken."""
        return None

    def more(self, letter: Letter) -> bytes | None:
        """A body with a made-up value that names the right person; None where only signed ones are taken."""
        return None
