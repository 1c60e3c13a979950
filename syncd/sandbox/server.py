"""The emulated vendors on loopback: each on its own port, with one more port to steer them.

What a vendor answers is in its own module. The control API is JSON: GET /info, /state, /calls, /bill,
/faults, /judge; POST /faults, /clock/skip, /edit. Where each port is, `Sandbox.urls` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn
from starlette.types import ASGIApp

from . import faults as switchboard
from .clock import SandboxClock
from .control import Control
from .faults import Faults
from .fullenrich import FullEnrich
from .hubspot import HubSpot
from .population import Shares
from .salesforce import Salesforce
from .world import Draw, World
from .zeliq import Zeliq

T = TypeVar("T")


def options_help() -> list[tuple[str, str]]:
    """Every fault by name, with one line that says what it does."""
    return sorted(switchboard.KNOWN.items())


class Sandbox:
    """All vendors over one world, served while the `async with` block runs, on the caller's event loop."""

    def __init__(
        self,
        seed: int = 1,
        contacts: int = 200,
        speed: float = 1.0,
        *,
        ports: Mapping[str, int] | None = None,
        faults: Iterable[str] = (),
        zeliq_plan: str = "essential",
        quirks: Shares | None = None,
        hubspot: Mapping[str, Any] | None = None,
        zeliq: Mapping[str, Any] | None = None,
        fullenrich: Mapping[str, Any] | None = None,
        salesforce: Mapping[str, Any] | None = None,
        crm_overlap: float = 0.10,
    ) -> None:
        """`contacts`, `quirks`: of HubSpot. `speed`: of the sandbox clock. `ports`: vendor or `control` to port; 0 or
        absent: any free one. `faults`: written as in `faults`. `hubspot` and so on: further options of each vendor's
        constructor; `salesforce` may also have `contacts` and `leads`, how many it holds (none by default), and
        `quirks`, the share of each quirk or trait. `crm_overlap`: the share of those whose person HubSpot has, too.
        """
        self.seed, self.ports = seed, dict(ports or {})
        self.clock = SandboxClock(speed)
        org = dict(salesforce or {})
        size, shares = (int(org.pop("contacts", 0)), int(org.pop("leads", 0))), org.pop("quirks", quirks)
        self.world = World(seed, contacts, self.clock, quirks, Draw(*size, crm_overlap, shares))
        self.faults = Faults(faults, self._rng("faults"))
        self.hubspot = HubSpot(self.world, self.clock, self.faults, self._rng("hubspot"), **(hubspot or {}))
        self.zeliq = Zeliq(
            self.world, self.clock, self.faults, self._rng("zeliq"), **{"plan": zeliq_plan, **(zeliq or {})}
        )
        self.fullenrich = FullEnrich(self.world, self.clock, self.faults, self._rng("fullenrich"), **(fullenrich or {}))
        self.salesforce = Salesforce(self.world, self.clock, self.faults, self._rng("salesforce"), **org)
        self.urls: dict[str, str] = {}
        self._servers: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def __aenter__(self) -> Self:
        control = Control(self.world, self.clock, self.faults, self.vendors, self.urls)
        apps: dict[str, ASGIApp] = {name: vendor.app for name, vendor in self.vendors.items()}
        apps["control"] = control.app
        listeners = self._bind(list(apps))
        for name, app in apps.items():
            await self._serve(name, app, listeners[name])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for vendor in self.vendors.values():
            await vendor.aclose()
        for server, _ in self._servers:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._servers))
        self._servers.clear()

    @property
    def vendors(self) -> dict[str, HubSpot | Salesforce | Zeliq | FullEnrich]:
        """By name, as in `urls`."""
        crms: dict[str, HubSpot | Salesforce] = {"hubspot": self.hubspot, "salesforce": self.salesforce}
        return {**crms, "zeliq": self.zeliq, "fullenrich": self.fullenrich}

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{name}")  # noqa: S311 - reproducible runs

    def _bind(self, names: list[str]) -> dict[str, socket.socket]:
        """Bind first, so that all ports are known and a taken one is the caller's OSError."""
        with contextlib.ExitStack() as undo:
            listeners = {name: undo.enter_context(_listener(self.ports.get(name, 0))) for name in names}
            undo.pop_all()
        self.urls.update({name: f"http://127.0.0.1:{one.getsockname()[1]}" for name, one in listeners.items()})
        return listeners

    async def _serve(self, name: str, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            date_header=name != "salesforce",  # which sends its own: clients tell its clock by it
            log_level="warning",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]), name=f"sandbox {name}")
        self._servers.append((server, task))
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.001)


def _listener(port: int) -> socket.socket:
    # asyncio switches Nagle's delay (40 ms a request) off only where the protocol number is said outright.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process belongs to the caller."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class SandboxThread:
    """A Sandbox in a thread of its own, for callers that are not asynchronous. Same arguments."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.sandbox = Sandbox(*args, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    def __enter__(self) -> Sandbox:
        self._thread.start()
        try:
            return self.wait(self.sandbox.__aenter__())
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait(self.sandbox.__aexit__(kind, error, trace))
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the sandbox's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, work: Callable[[], T]) -> T:
        """Run a plain function in the sandbox's loop, between two requests."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(work())
            except BaseException as problem:  # noqa: BLE001 - handed to the caller
                answer.set_exception(problem)

        self._loop.call_soon_threadsafe(run)
        return answer.result()
