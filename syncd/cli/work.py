"""The command that works: run."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, TextIO, cast

import typer

from . import lean  # noqa: F401 - before all that imports what it makes lean

# isort: split
from syncd import compose, memory
from syncd.config import Settings, load
from syncd.contract.errors import ConfigError
from syncd.daemon import Daemon, Until
from syncd.ledger.engines import engine_of
from syncd.ledger.place import Place, Url
from syncd.ledger.shared_time import SharedTime
from syncd.ledger.spool import Spool
from syncd.ledger.store import Ledger
from syncd.log import set_up
from syncd.orders import Read, Role
from syncd.pipeline.canary import Canary
from syncd.registry import Registry
from syncd.web.intake import Intake, SpooledIntake

from .output import ConfigOption, complain, config_path, settings_from
from .progress import AboveProgress

EX_CANTCREAT = 73


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("run", short_help="The daemon, until SIGTERM.")(run)


def run(
    config: ConfigOption = None,
    *,
    role: Annotated[
        Role, typer.Option(help="With a ledger in PostgreSQL: take callbacks only, do everything else, or do all.")
    ] = Role.ALL,
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
      syncd run --role receiver
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # until the daemon knows what to do with it
    settings, registry = settings_from(config)
    _require_fitting(settings, role, once=once)
    watched = once and sys.stderr.isatty()
    set_up(settings.log, hidden=settings.secrets, stream=cast("TextIO", AboveProgress()) if watched else None)
    sys.setswitchinterval(0.002)  # a thread that computes must not hold up a callback
    memory.share()
    if once:
        _run_once(settings, registry, within=wait * 60)
        return
    read = partial(_read_again, config_path(config).absolute())
    if role is Role.RECEIVER:
        asyncio.run(_receive(settings, registry, read))
        return
    with only_daemon(settings.ledger.place, alone=False):
        asyncio.run(_run(settings, registry, role=role, read=read))


def _require_fitting(settings: Settings, role: Role, *, once: bool) -> None:
    """Raises ConfigError where this configuration, or another option, does not allow the role."""
    if role is Role.ALL:
        return
    if not isinstance(settings.ledger.place, Url):
        why = "one in a file belongs to a single process, which does all"
        raise ConfigError([f"--role {role} needs a ledger that processes share, in PostgreSQL (ledger.url): {why}"])
    if once:
        raise ConfigError(["--once needs a process that does all: leave --role out"])
    if role is Role.RECEIVER and settings.callbacks is None:
        raise ConfigError(["--role receiver takes callbacks: add the section `callbacks`, as in config.example.yaml"])


def _run_once(settings: Settings, registry: Registry, *, within: float) -> None:
    """Until all is settled, or for so many seconds; then how it stands, and what kept it from that."""
    from . import once  # noqa: PLC0415 - the daemon does without

    with only_daemon(settings.ledger.place, alone=False):
        asyncio.run(_run(settings, registry, until=partial(once.until_settled, within=within)))
    once.tell_how_it_stands(settings)
    if left := once.left_undone(settings):
        complain(left)
        raise typer.Exit(1)


@contextmanager
def only_daemon(place: Place, *, alone: bool = True) -> Iterator[None]:
    """Hold the ledger for this process. A second one exits with 73; not on a database where neither has to be alone."""
    with engine_of(place).held(alone=alone) as mine:
        if not mine:
            what = f"another syncd has {place} open: stop it first, or give this one a ledger of its own (ledger.path)"
            complain([what], "ledger-in-use")
            raise typer.Exit(EX_CANTCREAT)
        yield


def is_alone(ledger: Place) -> bool:
    """Does no daemon work with this ledger?"""
    if not isinstance(ledger, Path):
        with engine_of(ledger).held(alone=True) as mine:
            return mine
    with suppress(FileNotFoundError):
        lock = os.open(ledger.with_name(ledger.name + ".lock"), os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
    return True


async def _run(
    settings: Settings,
    registry: Registry,
    *,
    role: Role = Role.ALL,
    read: Read | None = None,
    until: Until | None = None,
) -> None:
    """Run the daemon, until a signal or `until` ends it."""
    ledger = await asyncio.to_thread(Ledger.open, settings.ledger.place)
    shared = await compose.time_of(ledger)
    clock = compose.clock_of(settings) if shared is None else compose.clock_of(settings, shared)
    parts = await compose.assemble(settings, registry, ledger, clock, shared)
    speed = settings.rehearsal.speed if settings.rehearsal else 1.0
    once = until is not None
    with _intake(settings, ledger, spools=role is Role.ALL and not once) as intake:
        daemon = Daemon(parts, Canary(), intake, role=role, speed=speed, once=once, read=read)
        try:
            await daemon.run(until)
        finally:
            await compose.close(daemon.parts)


async def _receive(settings: Settings, registry: Registry, read: Read) -> None:
    """Take callbacks, until a signal; the ledger need not answer yet."""
    ledger = Ledger(settings.ledger.place)
    with _intake(settings, ledger, spools=True) as intake:
        shared = SharedTime()
        parts = compose.assemble_receiver(settings, registry, ledger, compose.clock_of(settings, shared), shared)
        daemon = Daemon(parts, Canary(), intake, role=Role.RECEIVER, read=read)
        try:
            await daemon.run()
        finally:
            await compose.close(daemon.parts)


@contextmanager
def _intake(settings: Settings, ledger: Ledger, *, spools: bool) -> Iterator[Intake]:
    """Where callbacks are kept: of a ledger in a file, in it. What was spooled before the ledger was moved into a file
    is forwarded to it."""
    where = settings.callbacks.spool if spools and settings.callbacks else None
    takes = isinstance(ledger.place, Url)
    if where is None or not (takes or where.path.exists()):
        yield Intake(ledger)
        return
    with Spool.opened(where.path, where.limit) as spool:
        yield SpooledIntake(ledger, spool, settings.connections, takes=takes)


def _read_again(file: Path) -> tuple[Settings, Registry]:
    registry = Registry()
    return load(file, os.environ, registry=registry), registry
