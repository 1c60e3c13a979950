"""Copies of a ledger: made beside a running daemon, and put back in its place.

A copy has its name only once it is whole and on the disk. Nothing is deleted: what stands in the way of a restored
ledger is moved aside, under a name with the date.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from . import upkeep
from .engines import engine_of
from .file import LedgerBusy, LedgerError, LedgerMissing, belong_to_folder, connect, meaning, raw_reading
from .place import Place
from .sqlite import sqlite3
from .store import Ledger, Tx

if TYPE_CHECKING:
    from .sessions import Session

BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a ledger
_STEPS = 20_000  # of SQLite's work, between two looks at how far it is
Progress = Callable[[int, int], None]
"""Told the bytes that are written, and those that there will be at most. What it raises ends the copying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`generation`: how often this ledger was restored by now. `aside`: where what stood in its place is now."""

    generation: int
    aside: tuple[Path, ...]


def back_up(source: Path, target: Path, progress: Progress = lambda _, __: None) -> None:
    """A sound copy of a ledger that may be in use, readable for its owner alone. Raises LedgerError when `target`
    exists, and OSError."""
    if os.path.lexists(target):
        raise LedgerError(f"{target} is there already: name a new file")
    if not target.parent.is_dir():
        missing = errno.ENOENT if not target.parent.exists() else errno.ENOTDIR
        raise OSError(missing, os.strerror(missing), str(target.parent))
    with whole(target) as partial:
        _copy(source, partial, progress)


def copy_for_trial(place: Place, target: Path, progress: Progress = lambda _, __: None) -> None:
    """A file on which something is tried; none where there is no ledger yet. Raises LedgerError, and OSError."""
    if isinstance(place, Path):
        if place.exists():
            with engine_of(place).reading():  # one that is too new is refused by its own name
                back_up(place, target, progress)
        return
    from .reproduction import copy_to_file  # noqa: PLC0415 - psycopg is not there everywhere

    engine = engine_of(place)
    with (
        suppress(LedgerMissing),
        engine.reading() as source,
        engine.told_of_reading(),
        closing(connect(target)) as copy,
    ):
        session = cast("Session", source)
        session.script("BEGIN ISOLATION LEVEL REPEATABLE READ")
        copy.execute("BEGIN")
        copy_to_file(session, copy)
        copy.execute("COMMIT")


def restore(
    source: Path, target: Path, *, frozen_until: float, now: float, progress: Progress = lambda _, __: None
) -> Restored:
    """Put a copy in the place of a ledger that nobody has open.

    What was bought after the copy was made is not known to it: nothing is bought before `frozen_until`
    (UTC seconds), so that those answers can still come in. What was written is not known either: everything
    is pulled anew, and nobody is asked about before. Raises LedgerError when the copy is broken.
    """
    if target.exists() and source.samefile(target):
        raise LedgerError(f"{source} is the ledger itself: name a copy of it")
    if broken := list(upkeep.integrity(source)):
        raise LedgerError(f"{source} is damaged and was not restored: {broken[0]}")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside: list[Path] = []
    with whole(target, lambda: aside.extend(_moved_aside(target, now))) as partial:
        _copy(source, partial, progress)
        generation: int = Ledger.change(partial, mark_restored, frozen_until)
        belong_to_folder(partial)
    return Restored(generation=generation, aside=tuple(aside))


@contextmanager
def whole(target: Path, make_room: Callable[[], object] = lambda: None) -> Iterator[Path]:
    """A file beside the target, which gets the target's name once all is on the disk; else nothing is left of it."""
    partial = target.with_name(f".{target.name}.partial")
    number = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _alone(number, partial)
        with _gone_if_it_fails(partial):
            os.fchmod(number, 0o600)
            os.ftruncate(number, 0)  # what one that was killed has left
            yield partial
            os.fsync(number)
            make_room()
            partial.rename(target)
            _sync_folder(target.parent)
    finally:
        os.close(number)


@contextmanager
def _gone_if_it_fails(partial: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # also where somebody gave up: half a copy is none
        for end in ("", *BESIDE):
            _beside(partial, end).unlink(missing_ok=True)
        raise


def _alone(number: int, partial: Path) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerBusy(f"another syncd is writing {partial}: wait for it") from None


def _copy(source: Path, partial: Path, progress: Progress) -> None:
    """Raises what `progress` raises, too: SQLite itself only knows that it was interrupted."""
    raised: list[BaseException] = []

    def look() -> bool:
        try:
            progress(partial.stat().st_size, size)
        except BaseException as error:  # noqa: BLE001 - raised again as soon as SQLite has let go
            raised.append(error)
        return bool(raised)

    with raw_reading(source) as connection:
        size = source.stat().st_size
        connection.set_progress_handler(look, _STEPS)
        try:
            connection.execute("VACUUM INTO ?", (str(partial),))
        except sqlite3.Error as error:
            raise raised[0] if raised else _not_copied(error, partial) from error


def _not_copied(error: sqlite3.Error, partial: Path) -> LedgerError:
    told = meaning(error, f"the copy could not be written to {partial.parent}: {error}")
    told.__cause__ = error
    return told


def _moved_aside(target: Path, now: float) -> Iterator[Path]:
    """The old ledger with all that belongs to it, together under another name. Until the copy has its place, the old
    one is still there too: a daemon that finds none would begin a new one."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = _free(target.with_name(f"{target.name}.{moment}"))
    if target.exists():
        _link(target, aside)
        yield aside
    for end in BESIDE:
        if (old := _beside(target, end)).exists():
            yield old.rename(_beside(aside, end))


def _link(target: Path, aside: Path) -> None:
    try:
        aside.hardlink_to(target)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
            raise
        target.rename(aside)  # a file system without links


def _free(path: Path) -> Path:
    """A name that nothing has yet."""
    tries = (path, *(path.with_name(f"{path.name}.{n}") for n in range(1, 1000)))
    return next(one for one in tries if not any(os.path.lexists(_beside(one, end)) for end in ("", *BESIDE)))


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # not every file system can
            os.fsync(number)
    finally:
        os.close(number)


def mark_restored(tx: Tx, frozen_until: float) -> int:
    """Say in a ledger that it was put back: it knows of nothing since its copy was made. Returns how often that was."""
    generation = int(upkeep.mark(tx, upkeep.GENERATION) or 0) + 1
    upkeep.set_mark(tx, upkeep.GENERATION, generation)
    upkeep.set_mark(tx, upkeep.FROZEN_UNTIL, frozen_until)
    if (seen := upkeep.mark(tx, upkeep.LAST_SEEN)) is not None:
        upkeep.set_mark(tx, upkeep.COPIED_AT, seen)
    tx.run("pull_all_again")
    tx.run("contacts_unseen")
    return generation
