"""Delivers a vendor's callbacks: its retry schedule on the sandbox clock, and what goes wrong on the way.

What a body says, who signs it and what a forgery looks like are each vendor's; the faults that
spoil a delivery are alike for all, and named `<channel>_<kind>`, e.g. `zeliq_callback_never`.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import httpx

from syncd.sandbox.background import Background
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults

IN_FLIGHT = 8
TIMEOUT = 10.0  # real seconds a receiver has to answer; inferred, no vendor documents its own
FAREWELL = 1.0  # real seconds a post on its way has to end when the vendor closes
HELD = 120.0  # sandbox seconds a reordered callback waits to be overtaken

Seal = Callable[[bytes], Mapping[str, str]]

_KINDS = {
    "never": "is never sent",
    "late": "is sent late (parameter: sandbox seconds, 14400)",
    "duplicate": "is sent at once in several copies (parameter: how many more, 1)",
    "repeat": "is sent again although acknowledged (parameter: sandbox seconds later, 300)",
    "unheard": "is retried although acknowledged: the answer got lost (parameter: how often, 1)",
    "reorder": "waits until the next one has been sent",
    "forged": "comes after a forgery of it from somebody else",
    "malformed": "is cut-off JSON (parameter: in how many tries, 1)",
    "garbage": "is a page in some unknown encoding (parameter: in how many tries, 1)",
    "array": "is a JSON array of nulls (parameter: in how many tries, 1)",
    "deep": "is nested thousands of levels deep (parameter: in how many tries, 1)",
    "huge": "is five million bytes long (parameter: in how many tries, 1)",
    "form": "says it were a form, not JSON (parameter: in how many tries, 1)",
}


def callback_faults(channel: str) -> dict[str, str]:
    """The faults of one channel, by name, for a vendor's table."""
    return {f"{channel}_{kind}": f"the callback {line}" for kind, line in _KINDS.items()}


@dataclass(slots=True)
class Letter:
    """One callback on its way."""

    channel: str  # prefix of its faults
    url: str
    body: bytes
    job: str  # the vendor's id
    tried: asyncio.Event = field(default_factory=asyncio.Event)  # set once the first try is over, or will never be


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try, as it went."""

    at: float  # sandbox seconds
    channel: str
    job: str
    attempt: int  # 0 for the first try
    status: int | None  # None: no answer
    forged: bool = False


class Courier:
    """Sends letters with one shared client, at most 8 at the same time."""

    def __init__(
        self,
        clock: SandboxClock,
        faults: Faults,
        *,
        pauses: Sequence[float],
        seal: Seal = lambda _: {},
        forge: Callable[[Letter], Letter | None] = lambda _: None,
        forged_seal: Seal = lambda _: {},
        timeout: float = TIMEOUT,
    ) -> None:
        """`pauses`: sandbox seconds before each retry; `seal`: headers for the bytes sent; `forge`: somebody's fake."""
        self.deliveries: list[Delivery] = []
        self.given_up: list[Letter] = []
        self._clock = clock
        self._faults = faults
        self._pauses = tuple(pauses)
        self._seal = seal
        self._forge = forge
        self._forged_seal = forged_seal
        self._timeout = timeout
        self._background = Background()
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._client: httpx.AsyncClient | None = None
        self._exchanges: set[asyncio.Future[int | None]] = set()
        self._held: list[asyncio.Event] = []

    @property
    def busy(self) -> int:
        """Letters not yet acknowledged or given up."""
        return self._background.busy

    def acknowledged(self) -> set[str]:
        """Jobs of which a genuine callback was answered with 2xx."""
        genuine = (one for one in self.deliveries if not one.forged)
        return {one.job for one in genuine if one.status is not None and 200 <= one.status < 300}

    def send(self, letter: Letter) -> None:
        """Deliver in the background, retries included."""
        if self._take(letter, "never") is not None:
            letter.tried.set()
            return
        self._background.start(self._carry(letter))

    async def settled(self) -> None:
        """Wait until every letter is acknowledged or given up."""
        await self._background.settled()

    async def aclose(self) -> None:
        """Stop; what is not delivered yet never will be."""
        await self._background.aclose()
        if self._exchanges:
            await asyncio.wait(self._exchanges, timeout=FAREWELL)
        if self._client is not None:
            await self._client.aclose()

    async def _carry(self, letter: Letter) -> None:
        if (late := self._take(letter, "late")) is not None:
            letter.tried.set()  # nobody shall wait for a letter that is hours late
            await self._clock.sleep(float(late or 14_400))
        if self._take(letter, "reorder") is not None:
            await self._wait_to_be_overtaken()
        if self._take(letter, "forged") is not None and (fake := self._forge(letter)) is not None:
            await self._post(fake, fake.body, 0, forged=True)
        if (copies := self._take(letter, "duplicate")) is not None:
            for _ in range(int(copies or 1)):
                self._background.start(self._try(replace(letter, tried=asyncio.Event())))
        await self._try(letter)
        if (later := self._take(letter, "repeat")) is not None:
            await self._clock.sleep(float(later or 300))
            await self._try(letter)

    async def _try(self, letter: Letter) -> None:
        damages = self._damages(letter)
        unheard = self._take(letter, "unheard")
        deaf = 0 if unheard is None else int(unheard or 1)
        for attempt, pause in enumerate((0.0, *self._pauses)):
            await self._clock.sleep(pause)
            body, kind = _damaged(letter.body, [name for name, tries in damages if attempt < tries])
            heard = await self._post(letter, body, attempt, kind=kind)
            letter.tried.set()
            self._release_held()
            if heard and attempt >= deaf:
                return
        self.given_up.append(letter)

    async def _post(
        self, letter: Letter, body: bytes, attempt: int, *, kind: str = "application/json", forged: bool = False
    ) -> bool:
        seal = self._forged_seal if forged else self._seal
        async with self._room:
            exchange = asyncio.ensure_future(self._exchange(letter.url, body, {"content-type": kind, **seal(body)}))
            self._exchanges.add(exchange)
            exchange.add_done_callback(self._exchanges.discard)
            status = await asyncio.shield(exchange)  # httpx leaks a socket when it is cancelled at the wrong moment
        self.deliveries.append(Delivery(self._clock.now(), letter.channel, letter.job, attempt, status, forged))
        return status is not None and 200 <= status < 300

    async def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        try:
            return (await self._http().post(url, content=body, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, ExceptionGroup):  # the last two: absurd hosts and ports
            return None  # no answer is an answer, too: the schedule goes on

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT, keepalive_expiry=2.0)
            self._client = httpx.AsyncClient(timeout=self._timeout, limits=limits, trust_env=False, verify=_tls())
        return self._client

    async def _wait_to_be_overtaken(self) -> None:
        overtaken = asyncio.Event()
        self._held.append(overtaken)
        waits = {asyncio.ensure_future(overtaken.wait()), asyncio.ensure_future(self._clock.sleep(HELD))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _release_held(self) -> None:
        while self._held:
            self._held.pop().set()

    def _damages(self, letter: Letter) -> list[tuple[str, int]]:
        taken = ((kind, self._take(letter, kind)) for kind in _DAMAGE)
        return [(kind, int(tries or 1)) for kind, tries in taken if tries is not None]

    def _take(self, letter: Letter, kind: str) -> str | None:
        return self._faults.take(f"{letter.channel}_{kind}")


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # slow to make, and the same for all


_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "malformed": lambda body: body[: len(body) * 2 // 3],
    "garbage": lambda _: b"<html>\xff\xfe\x00 502 Bad Gateway </html>",
    "array": lambda _: b"[null, null]",
    "deep": lambda _: b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "huge": lambda body: body[:-1] + b"," + b" " * 5_000_000 + b'"padding":0}',
    "form": lambda body: body,
}


def _damaged(body: bytes, kinds: Sequence[str]) -> tuple[bytes, str]:
    for kind in kinds:
        body = _DAMAGE[kind](body)
    return body, "application/x-www-form-urlencoded" if "form" in kinds else "application/json"


def guess_token(url: str, rng: random.Random) -> str:
    """`url` with its longest path segment or query value replaced by another of the same length."""
    start, _, rest = url.partition("://")
    host, slash, tail = rest.partition("/")
    secret = max(tail.replace("?", "/").replace("=", "/").replace("&", "/").split("/"), key=len)
    guess = "".join(rng.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in secret)
    return f"{start}://{host}{slash}{tail.replace(secret, guess)}" if secret else url


def to_bytes(body: object) -> bytes:
    """JSON as the vendors write it: UTF-8, compact."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
