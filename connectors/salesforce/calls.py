"""Every call to Salesforce passes here: who we are, what is repeated, what time it is there.

A session may end at any moment. Then we log in once, and the same call goes out again as it was: what a
call depends on is in its body, never in a header that could get lost. Knows nothing of contacts. The
SDK is in `wire`, the limits in `limits`, the words for refusals in `answers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from syncd.contract.errors import Halt, InDoubt, Retry, Trouble
from syncd.contract.ports import Tools

from .answers import Answer, translate
from .limits import Limits
from .options import Options

if TYPE_CHECKING:
    from .wire import Call

T = TypeVar("T")

THREADS = 4  # calls at once
BACKOFF = (0.5, 1.0, 2.0, 4.0)  # seconds before each repetition of a call that is safe to repeat
PATIENCE = 30.0  # a longer wait is the caller's to arrange
REFUSED_FOR = 300.0  # seconds in which a refused login is not tried again: Salesforce locks users out
ORG = "org"  # whose ids the ledger holds, in the memory


class Calls:
    """One org's line: logged in, repeated where that is safe."""

    def __init__(self, options: Options, base_url: str | None, tools: Tools) -> None:
        from .wire import Call, Wire  # noqa: PLC0415 - 0.5 s, needed only where a Salesforce is configured

        self._wire = Wire(options, base_url, THREADS, network=tools.network)
        self._call: Callable[..., Call] = Call
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="salesforce")
        self._clock, self._memory = tools.clock, tools.memory
        self._turn = 0  # how often we have logged in
        self._logging_in = asyncio.Lock()
        self._refused: tuple[float, Halt] | None = None
        self._ahead: float | None = None  # of our monotonic clock
        self.limits = Limits(options, tools)
        self.version = options.api_version

    async def get(self, path: str, *, exempt: bool = False, accept: str = "*/*", **params: str) -> Answer:
        """A call that changes nothing, repeated up to four times. Raises Retry, RateLimited, Halt."""
        return await self._safe(self._call("GET", path, params or None, accept=accept), exempt=exempt)

    async def ask(self, path: str, body: Any) -> Answer:
        """A POST that changes nothing. As `get`."""
        return await self._safe(self._call("POST", path, None, body))

    async def once(self, method: str, path: str, body: Any) -> Answer:
        """A call that may change something, sent once (and once more after a login, if nothing was done).

        Raises Retry and RateLimited when it was definitely not done, InDoubt when nobody knows, Halt.
        """
        return await self._attempt(self._call(method, path, None, body))

    async def login(self) -> None:
        """Have a session. Raises Retry and Halt; the latter too when it is another org than last time."""
        if self._turn == 0:
            await self._log_in(0)

    @property
    def user(self) -> str:
        """The id of the user that we are, or ""."""
        return self._wire.who.user

    @property
    def org(self) -> str:
        """The id of the org, or ""."""
        return self._wire.who.org

    def server_now(self) -> float:
        """UTC seconds by the server's clock, or a little less: our own may be wrong."""
        return self._clock.now() if self._ahead is None else self._clock.monotonic() + self._ahead

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    async def _safe(self, call: Call, *, exempt: bool = False) -> Answer:
        for backoff in BACKOFF:
            try:
                return await self._attempt(call, exempt=exempt)
            except InDoubt:
                wait = backoff
            except Retry as error:
                wait = backoff if error.after is None else error.after
                if wait > PATIENCE:
                    raise
            await self._clock.sleep(wait)
        try:
            return await self._attempt(call, exempt=exempt)
        except InDoubt as error:
            raise Retry(str(error)) from error

    async def _attempt(self, call: Call, *, exempt: bool = False) -> Answer:
        await self.login()
        answer, turn = await self._send(call, exempt=exempt)
        if answer.status == 401 and answer.refusal.code in {"INVALID_SESSION_ID", ""}:  # nothing was done
            await self._log_in(turn)
            answer, _ = await self._send(call, exempt=exempt)
        what = f"{call.method} {call.path.partition('?')[0]}"
        if not 200 <= answer.status < 300:
            limited = answer.refusal.code == "REQUEST_LIMIT_EXCEEDED"
            raise self.limits.refused(answer) if limited else translate(answer, what)
        if answer.body is None and answer.status != 204:
            raise InDoubt(f"{what}: HTTP {answer.status} without JSON")
        return answer

    async def _send(self, call: Call, *, exempt: bool) -> tuple[Answer, int]:
        """One answer, and which login it was asked with."""
        self.limits.enter(exempt=exempt)
        await self.limits.count()
        turn = self._turn
        answer = await self._in_thread(partial(self._wire.send, call))
        self.limits.learn(answer.headers)
        if answer.date is not None:
            self._ahead = answer.date - self._clock.monotonic()
        return answer, turn

    async def _log_in(self, turn: int) -> None:
        """Get the next session; whoever comes meanwhile waits for the same one."""
        async with self._logging_in:
            if turn != self._turn:
                return
            if self._refused is not None and self._clock.monotonic() < self._refused[0]:
                raise self._refused[1]
            try:
                await self._in_thread(self._wire.login)
            except Halt as error:
                self._refused = (self._clock.monotonic() + REFUSED_FOR, error)
                raise
            await self._same_org()
            self._refused = None
            self._turn += 1

    async def _same_org(self) -> None:
        """A refreshed sandbox has new ids: what we know of the old one must not be written to it."""
        known, org = self._memory.recall(ORG), self.org[:15]
        if known is None and org:
            await self._memory.keep(ORG, org)
        elif org and known != org:
            raise Halt(
                f"this is org {org}, and what syncd knows is of org {known}",
                trouble=Trouble.ACCOUNT,
                cure="set domain back, or give the other org a connection and a sync with names of their own",
            )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
