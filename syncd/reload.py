"""Another configuration while the daemon runs: read and checked as a whole first, then applied, or refused with why.

`prepare` changes nothing. `apply` is called once no stage is at work; what it writes is one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from syncd import compose
from syncd.config import Settings
from syncd.contract.errors import ConfigError
from syncd.contract.ports import Tools
from syncd.ledger import submissions
from syncd.ledger.place import Place
from syncd.ledger.store import Tx
from syncd.log import set_up
from syncd.orders import Read
from syncd.pipeline.parts import Parts
from syncd.registry import Registry

log = structlog.get_logger("syncd.configuration")

CURE = "Mend it and reload (systemctl reload syncd); until then the configuration from before is in use."


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration that can be applied."""

    settings: Settings
    registry: Registry


async def prepare(parts: Parts, read: Read) -> Change:
    """Read it, and see that it can take the place of the one in use. Raises ConfigError with all that is wrong."""
    settings, registry = await asyncio.to_thread(read)
    found = [*_fixed(parts.settings, settings), *await parts.ledger.read(_owing, parts.settings, settings)]
    if found:
        raise ConfigError(found)
    await _try_connections(parts, settings, registry)
    for warning in settings.warnings:
        log.warning("configuration_warning", why=warning)
    return Change(settings, registry)


async def apply(parts: Parts, change: Change) -> Parts:
    """The parts for it. Gate, rate windows and whatever is known go on; what has changed is looked at again. Raises
    ConfigError or LedgerError, and then nothing has changed."""
    old, new = parts.settings, change.settings
    if found := await parts.ledger.read(_owing, old, new):  # since `prepare`
        raise ConfigError(found)
    made = await compose.reassemble(parts, new, change.registry)
    follow_log(old, new)
    return made


def require_same(old: Settings, new: Settings) -> None:
    """Raises ConfigError with what can't change while the daemon runs, and has."""
    if found := list(_fixed(old, new)):
        raise ConfigError(found)


def follow_log(old: Settings, new: Settings) -> None:
    """The log as it is wanted now; what was a secret stays one."""
    if (old.log, old.secrets) != (new.log, new.secrets):
        set_up(new.log, hidden=old.secrets | new.secrets)


def _fixed(old: Settings, new: Settings) -> Iterator[str]:
    """What can't change while the daemon runs."""
    restart = "this can't change while syncd runs; put it back, or restart syncd"
    if _real(new.ledger.place) != _real(old.ledger.place):
        key = "path" if isinstance(old.ledger.place, Path) else "url"
        yield f"ledger.{key}: it is {old.ledger.place} until the end of this process: {restart}"
    before, after = (one.callbacks.listen if one.callbacks else "none" for one in (old, new))
    if old.callbacks and new.callbacks and old.callbacks.spool != new.callbacks.spool:
        yield f"callbacks.spool: it is {old.callbacks.spool.path} until the end of this process: {restart}"
    if before != after:
        yield f"callbacks.listen: it is {before} until the end of this process: {restart}"
    if new.admin.listen != old.admin.listen:
        yield f"admin.listen: it is {old.admin.listen} until the end of this process: {restart}"
    if new.rehearsal != old.rehearsal:
        yield f"rehearsal: {restart}"


def _real(place: Place) -> Place:
    return place.resolve() if isinstance(place, Path) else place


def _owing(tx: Tx, old: Settings, new: Settings) -> list[str]:
    """Providers that are gone, and still owe answers that were paid for."""
    kept = {compose.mark(one) for one in new.connections.values()}
    former = [one for name, one in old.connections.items() if name not in new.connections]
    gone = [one.name for one in former if compose.mark(one) not in kept]  # not those that have another name now
    owed = {name: n for name in gone if (n := submissions.count_open(tx, name))}
    return [
        f"connections.{name}: {n} paid calls of it are not answered yet, and nobody could read the answers: keep the "
        "connection until `syncd status` shows none of its credits as reserved; a sync need not name it"
        for name, n in owed.items()
    ]


def _tools(parts: Parts, settings: Settings) -> Tools:
    return Tools(parts.clock, parts.rng, compose.NoMemory(), network=settings.network)


async def _try_connections(parts: Parts, settings: Settings, registry: Registry) -> None:
    """Whatever a connector refuses is refused before anything is stopped."""
    made = compose.connect(settings, registry, lambda _: _tools(parts, settings))
    await compose.hang_up(*made)
