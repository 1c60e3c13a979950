"""The command that works: run."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, TextIO, cast

import typer

from . import lean  # noqa: F401 - before all that imports what it makes lean

# isort: split
from syncd import compose
from syncd.config import ConditionKind, Settings, load
from syncd.daemon import Daemon, settled
from syncd.ledger import copies, pauses, reports
from syncd.ledger.states import JobState, Reason
from syncd.ledger.store import Ledger, Tx, reading
from syncd.log import set_up
from syncd.observe.conditions import derive
from syncd.observe.status import look
from syncd.pipeline.canary import Canary
from syncd.registry import Registry

from .output import ConfigOption, complain, config_path, pasteable, settings_from, tell, with_cure
from .progress import AboveProgress, looking, progress

EX_CANTCREAT = 73
_M_ARENA_MAX = -8  # of mallopt(3)
EVERY = 0.5  # seconds between two looks at how far `--once` is


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("run", short_help="The daemon, until SIGTERM.")(run)


def run(
    config: ConfigOption = None,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="One pull of each sync, then work until nothing moves, then exit.")
    ] = False,
    wait: Annotated[float, typer.Option(help="With --once: give up waiting for answers after so many minutes.")] = 60.0,
) -> None:
    """The daemon: pull, ask, receive, verify, write, on schedule, until SIGTERM.

    \b
    Examples:
      syncd run -c /etc/syncd/config.yaml
      syncd run --once --wait 30
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # until the daemon knows what to do with it
    settings, registry = settings_from(config)
    watched = once and sys.stderr.isatty()
    set_up(settings.log, hidden=settings.secrets, stream=cast("TextIO", AboveProgress()) if watched else None)
    sys.setswitchinterval(0.002)  # a thread that computes must not hold up a callback
    _share_memory()
    with only_daemon(settings.ledger.path):
        left = asyncio.run(_run(settings, registry, config_path(config).absolute(), wait * 60 if once else None))
    if once:
        _tell_how_it_stands(settings)
    if left:
        complain(left)
        raise typer.Exit(1)


def _share_memory() -> None:
    """One pool of memory for all threads, which take turns anyway: glibc would give each one of its own, 1.3 MB."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


@contextmanager
def only_daemon(ledger: Path) -> Iterator[None]:
    """Hold the ledger for this process; a second daemon on it exits with 73."""
    ledger.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = ledger.with_name(ledger.name + ".lock")
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    copies.belong_to_folder(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        what = f"another syncd has {ledger} open: stop it first, or give this one its own ledger.path"
        complain([what], "ledger-in-use")
        raise typer.Exit(EX_CANTCREAT) from None
    try:
        yield
    finally:
        os.close(lock)


def is_alone(ledger: Path) -> bool:
    """Does no daemon have this ledger open?"""
    with suppress(FileNotFoundError):
        lock = os.open(ledger.with_name(ledger.name + ".lock"), os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
    return True


async def _run(settings: Settings, registry: Registry, file: Path, within: float | None) -> list[str]:
    """Run the daemon; with `within` (seconds) until all is settled. Returns what kept it from that."""
    ledger = await asyncio.to_thread(Ledger.open, settings.ledger.path)
    parts = await compose.assemble(settings, registry, ledger, compose.clock_of(settings))
    speed = settings.rehearsal.speed if settings.rehearsal else 1.0
    once = within is not None
    daemon = Daemon(parts, Canary(), speed=speed, once=once, read=None if once else partial(_read_again, file))
    gc.freeze()  # all this lives as long as the process: no collection need look at it again
    gc.set_threshold(50_000, 20, 50)  # a page of work makes thousands of objects, and leaves no cycles

    async def until_settled(running: Daemon) -> None:
        try:
            async with asyncio.timeout(within), _seen(ledger):
                await settled(running)
        except TimeoutError:
            return

    try:
        await daemon.run(None if within is None else until_settled)
        return [] if within is None else await ledger.read(_left, settings, now=parts.clock.now())
    finally:
        await compose.close(daemon.parts)


@asynccontextmanager
async def _seen(ledger: Ledger) -> AsyncIterator[None]:
    """How far it is, is shown meanwhile on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    before = await ledger.read(reports.far)

    async def look() -> None:
        with progress("enriching", "fields", rate=True) as line:
            while True:
                now = await ledger.read(reports.far)
                line(now.done - before.done, now.total - before.done, now.in_words(before))
                await asyncio.sleep(EVERY)

    async with looking(look):
        yield


def _read_again(file: Path) -> tuple[Settings, Registry]:
    registry = Registry()
    return load(file, os.environ, registry=registry), registry


def _tell_how_it_stands(settings: Settings) -> None:
    """What has become of everything so far, and what wants a person now."""
    with reading(settings.ledger.path) as tx:
        paused = pauses.in_force(tx, now=compose.clock_of(settings).now())
        ended: Counter[str] = Counter()
        for row in reports.counts(tx):
            ended[row["reason"]] += row["n"]
        states, spent = reports.by_state(tx), reports.credits_by_provider(tx)
    written, others = ended.pop(Reason.WRITTEN, 0), sum(n for reason, n in ended.items() if reason)
    charged = sum(one["charged"] for one in spent.values())
    tell(f"{written:,} values are written, {others:,} fields ended without one; {charged:,g} credits were charged.")
    if waiting := states[JobState.REVIEW]:
        tell(pasteable(f"{waiting:,} values wait for you: syncd review list"))
    for one in paused:
        tell(pasteable(f"{one.name or 'syncd'} is paused: {one.why}: syncd resume {one.name or '--all'}"))


def _moving(tx: Tx, settings: Settings, *, now: float) -> int:
    """How much would still move, but for what somebody has paused."""
    paused = pauses.in_force(tx, now=now)
    unwritten = [sync.name for sync in settings.syncs if any(one.stops_writing(sync.name) for one in paused)]
    unasked = [
        (sync.name, provider, field)
        for sync in settings.syncs
        for field, policy in sync.fields.items()
        for provider in policy.providers
        if any(one.stops_buying(sync.name, provider) for one in paused)
    ]
    return reports.moving(tx, unasked, unwritten=unwritten)


def _left(tx: Tx, settings: Settings, *, now: float) -> list[str]:
    """What is not done, each with what to do about it."""
    status = look(tx, settings, now=now)
    obstacles = [one for one in derive(status) if one.blocks and one.kind is not ConditionKind.BUDGET]
    left = [with_cure(f"{one.who} {one.what}: {one.why}", one.cure, one.code) for one in obstacles]
    told = {one.why for one in obstacles}
    failed = {name: run["error"] for name, run in status["runs"].items() if run["error"]}
    left += [f"{name} could not be pulled: {why}" for name, why in failed.items() if why not in told]
    if waiting := _moving(tx, settings, now=now):
        left.append(f"{waiting} jobs still wait for something; run again, or see `syncd status`")
    if doubtful := reports.by_state(tx)[JobState.IN_DOUBT]:
        left.append(f"{doubtful} jobs are in doubt, for nobody knows whether their call arrived; see `syncd status`")
    return left
