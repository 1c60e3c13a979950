"""The composition root: the parts are made and joined here and nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import structlog
from pydantic import SecretStr

from syncd.clock import RehearsalClock, SystemClock
from syncd.config import Connection, Settings
from syncd.contract.pacing import Clock, Pacer
from syncd.contract.ports import Crm, Provider, Tools
from syncd.contract.watched import Calls, Tracer
from syncd.ledger import connections, ids, rates, renames, submissions
from syncd.ledger.claims import Owner
from syncd.ledger.shared_time import SharedTime
from syncd.ledger.store import Ledger
from syncd.limits import limited
from syncd.pipeline.address import Addresses
from syncd.pipeline.canary import NAME as CALLBACKS
from syncd.pipeline.parts import Lane, Parts
from syncd.pipeline.work import AtWork
from syncd.registry import Registry

log = structlog.get_logger("syncd.configuration")


class LedgerMemory:
    """A connector's memory, in the ledger's table of that name."""

    def __init__(self, ledger: Ledger, connection: str, known: dict[str, Any]) -> None:
        self._ledger = ledger
        self._connection = connection
        self._known = known

    def recall(self, key: str) -> Any:
        """The value last kept under `key`, or None."""
        return self._known.get(key)

    async def keep(self, key: str, value: Any) -> None:
        """On disk when this returns."""
        self._known[key] = value
        await self._ledger.write(connections.keep, self._connection, key, value)


class NoMemory:
    """A connector's memory where nothing is to be kept: `check`, `plan`."""

    def recall(self, key: str) -> Any:
        """Nothing is known."""

    async def keep(self, key: str, value: Any) -> None:
        """Nothing is kept."""


def clock_of(settings: Settings, wall: Callable[[], float] = time.time) -> Clock:
    """The host's clock, or the compressed one of a rehearsal. `wall`: in place of the host's own wall clock."""
    rehearsal = settings.rehearsal
    return SystemClock(wall) if rehearsal is None else RehearsalClock(rehearsal.speed, rehearsal.origin, wall)


async def time_of(ledger: Ledger) -> SharedTime | None:
    """The time that all hosts go by which share this ledger; None where there is one host alone."""
    if not ledger.shared:
        return None
    shared = SharedTime()
    await shared.look(ledger)
    return shared


def _at_work(settings: Settings, *, shared: bool) -> AtWork:
    """This process, as others see it. A rehearsal's time passes quicker than that of a database."""
    lease, speed = settings.ledger.lease, settings.rehearsal.speed if settings.rehearsal else 1.0
    return AtWork(Owner.new(lease), speed=speed) if shared else AtWork(Owner.new(lease * speed))


def connect(
    settings: Settings,
    registry: Registry,
    tools: Callable[[Connection], Tools],
    kept: Mapping[str, Any] = MappingProxyType({}),
    calls: Calls | None = None,
) -> tuple[dict[str, Crm], dict[str, Provider]]:
    """An instance of each CRM that a sync uses, and of each provider: one that is no longer asked may
    still owe answers. `kept`: those that there are already, by name; `calls`: where the calls that they make
    are noted."""
    used = {sync.crm for sync in settings.syncs}
    used |= {one.name for one in settings.connections.values() if one.port == "provider"}
    made = {
        c.name: kept[c.name] if c.name in kept else limited(registry.make(c, tools(c)), calls=calls)
        for c in settings.connections.values()
        if c.name in used
    }
    crms: dict[str, Any] = {n: one for n, one in made.items() if settings.connections[n].port == "crm"}
    providers: dict[str, Any] = {n: one for n, one in made.items() if settings.connections[n].port == "provider"}
    return crms, providers


async def assemble(
    settings: Settings, registry: Registry, ledger: Ledger, clock: Clock, shared_time: SharedTime | None = None
) -> Parts:
    """All parts, on an open ledger; connections that have another name keep their work, rate windows go on.
    `shared_time`: what the clock goes by, where that is the time of a database."""
    rng = random.Random()  # noqa: S311 - jitter, no secret
    calls = Calls(tracer=_tracer(settings))
    known = await _follow_names(ledger, settings)

    def tools(one: Connection) -> Tools:
        return Tools(clock, rng, LedgerMemory(ledger, one.name, known[one.name]), network=settings.network)

    crms, providers = connect(settings, registry, tools, calls=calls)
    if settings.callbacks is None:
        await ledger.write(connections.clear, CALLBACKS)
    return Parts(
        ledger=ledger,
        clock=clock,
        rng=rng,
        new_id=ids.new,
        settings=settings,
        crms=crms,
        lanes={name: await _lane(ledger, name, provider, clock) for name, provider in providers.items()},
        addresses=addresses_of(settings),
        former=await ledger.read(renames.former_names),
        at_work=_at_work(settings, shared=ledger.shared),
        shared_time=shared_time,
        calls=calls,
    )


def assemble_receiver(
    settings: Settings, registry: Registry, ledger: Ledger, clock: Clock, shared_time: SharedTime | None = None
) -> Parts:
    """What takes callbacks, and nothing else, on a ledger that need not be open yet: connectors read and check answers,
    and call nobody."""
    rng = random.Random()  # noqa: S311 - jitter, no secret
    tools = Tools(clock, rng, NoMemory(), network=settings.network)
    _, providers = connect(settings, registry, lambda _: tools)
    lanes = {name: Lane(one, Pacer(one.capabilities.windows, clock)) for name, one in providers.items()}
    return Parts(
        ledger=ledger,
        clock=clock,
        rng=rng,
        new_id=ids.new,
        settings=settings,
        crms={},
        lanes=lanes,
        shared_time=shared_time,
        addresses=addresses_of(settings),
    )


async def reassemble(parts: Parts, settings: Settings, registry: Registry) -> Parts:
    """The parts for another configuration, on the same ledger: connections that are the same go on as they are, and
    so does all that is known. No stage is at work meanwhile."""
    if settings.traces != parts.settings.traces:
        former, parts.calls.tracer = parts.calls.tracer, _tracer(settings)
        if former is not None:
            await asyncio.to_thread(former.close)
    known = await _follow_names(parts.ledger, settings)
    old = parts.settings
    same = {name for name, one in settings.connections.items() if old.connections.get(name) == one}
    if settings.network != old.network:
        same.clear()
    running: dict[str, Crm | Provider] = {**parts.crms, **{name: lane.provider for name, lane in parts.lanes.items()}}

    def tools(one: Connection) -> Tools:
        memory = LedgerMemory(parts.ledger, one.name, known[one.name])
        return Tools(parts.clock, parts.rng, memory, network=settings.network)

    kept = {name: one for name, one in running.items() if name in same}
    crms, providers = connect(settings, registry, tools, kept, parts.calls)
    lanes = {
        name: parts.lanes[name] if name in same else await _lane(parts.ledger, name, one, parts.clock)
        for name, one in providers.items()
    }
    for name, one in running.items():
        if one not in (crms.get(name), providers.get(name)):
            await one.aclose()
    _look_again(parts, settings, same)
    return replace(
        parts,
        settings=settings,
        crms=crms,
        lanes=lanes,
        addresses=addresses_of(settings),
        former=await parts.ledger.read(renames.former_names),
    )


def _look_again(parts: Parts, settings: Settings, same: Collection[str]) -> None:
    """What was seen of a connection, a sync or the way of callbacks that is another one now is not known any more."""
    before = {sync.name: sync.writing for sync in parts.syncs}
    active = [sync for sync in settings.syncs if not sync.paused]
    changed = [one for one in active if one.crm not in same or before.get(one.name) != one.writing]
    parts.gate.follow((sync.name for sync in active), changed={sync.name: sync.crm for sync in changed})
    if (settings.callbacks, settings.network) != (parts.settings.callbacks, parts.settings.network):
        parts.gate.forget("callbacks")
    for name in [name for name in parts.accounts.known if name not in same]:
        parts.accounts.known.discard(name)
    for name in [name for name in parts.accounts.failed if name not in same]:
        del parts.accounts.failed[name]


async def _follow_names(ledger: Ledger, settings: Settings) -> dict[str, dict[str, Any]]:
    """Connections that have another name keep their work. Returns what each connector wanted to know again."""
    renamed = await ledger.write(renames.follow, {one.name: mark(one) for one in settings.connections.values()})
    for old, new in renamed.items():
        log.info("connection_renamed", connection=new, former=old)
    return {name: await ledger.read(connections.recall_all, name) for name in settings.connections}


def mark(connection: Connection) -> str:
    """A digest of kind, host and key: equal for a connection that only has another name."""
    held = sorted(value.get_secret_value() for _, value in connection.options if isinstance(value, SecretStr))
    basis = repr((connection.connector, connection.base_url, held))
    return hashlib.blake2b(basis.encode("utf-8", "surrogatepass"), digest_size=16, person=b"syncd").hexdigest()


def _tracer(settings: Settings) -> Tracer | None:
    """Where spans go, if anywhere. Raises ConfigError where OpenTelemetry is not installed."""
    if settings.traces is None:
        return None
    from syncd.observe import traces  # noqa: PLC0415 - an option

    return traces.start(settings.traces)


def addresses_of(settings: Settings) -> Addresses:
    """The callback addresses of this installation."""
    callbacks = settings.callbacks
    if callbacks is None:
        return Addresses("", [])
    return Addresses(str(callbacks.public_url), [secret.get_secret_value() for secret in callbacks.secrets])


async def close(parts: Parts) -> None:
    """Let go of every connection, then of the ledger."""
    if parts.calls.tracer is not None:
        await asyncio.to_thread(parts.calls.tracer.close)
    await hang_up(parts.crms, {name: lane.provider for name, lane in parts.lanes.items()})
    parts.ledger.close()


async def hang_up(crms: Mapping[str, Crm], providers: Mapping[str, Provider]) -> None:
    """Let go of every connection."""
    for crm in crms.values():
        await crm.aclose()
    for provider in providers.values():
        await provider.aclose()


async def _lane(ledger: Ledger, name: str, provider: Provider, clock: Clock) -> Lane:
    learnt = await ledger.read(connections.windows, name)
    pacer = Pacer(learnt or provider.capabilities.windows, clock)
    await ledger.write(rates.know, name, pacer.windows, now=clock.now())
    pacer.seed(await ledger.read(submissions.calls_since, name, clock.now() - pacer.longest))
    return Lane(provider=provider, pacer=pacer)
