"""How a command ends that can't do its work: a sentence that says what to do next, and an exit code.

What nobody foresaw becomes one line as well; its details go to a file, or with `--debug` to standard error. Secrets
and personal data are masked in all of it.
"""

from __future__ import annotations

import errno
import os
import pwd
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from syncd import __version__
from syncd.contract.errors import BrokenInvariant, ConfigError, Halt, Retry, SyncdError

FAILED, DAMAGED, BROKEN, DISK, LATER, FORBIDDEN, CONFIGURATION = 1, 65, 70, 74, 75, 77, 78
BY_SIGNAL = 128  # and the signal's number, as shells have it

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_LATER = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.EADDRINUSE, errno.ETXTBSY, errno.EBUSY}
_ENDINGS = (
    ({errno.EIO}, DISK, "disk-failed"),
    (_DISK, DISK, "disk-full"),
    (_FORBIDDEN, FORBIDDEN, "not-permitted"),
    (_LATER, LATER, "try-again"),
)
_CURES = {
    errno.ENOSPC: "make room there, or name another place",
    errno.EDQUOT: "make room there, or name another place",
    errno.EROFS: "name a place that can be written",
    errno.ENOENT: "create the folder, or name another place",
    errno.ENOTDIR: "name a path whose folders are folders",
    errno.EISDIR: "name a file, not a folder",
    errno.EIO: "the disk has failed: look at the kernel's log (dmesg)",
}


def run(command: Callable[[], object], *, debug: bool) -> NoReturn:
    """Run the command line; whatever it raises is told, and the process ends."""
    signal.signal(signal.SIGTERM, _terminated)  # so that what was begun is cleaned up
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started us
        nowhere = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    try:
        code = outcome(command, debug=debug)
    except BrokenPipeError:
        code = BY_SIGNAL + signal.SIGPIPE
    if code == BY_SIGNAL + signal.SIGPIPE:
        _silence()
    sys.exit(code)


def outcome(command: Callable[[], object], *, debug: bool) -> int:
    """The exit code of a command; whatever it raises has been told, but for a pipe that nobody reads."""
    try:
        try:
            command()
        finally:
            sys.stdout.flush()
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):  # whoever read our output has seen enough
            return BY_SIGNAL + signal.SIGPIPE
        _tell_of_usage(ending.__context__)
        return ending.code if isinstance(ending.code, int) else FAILED if ending.code else 0
    except KeyboardInterrupt:
        return BY_SIGNAL + signal.SIGINT
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: a line for people, not a traceback
        return _told(error, debug=debug)
    return 0


def _tell_of_usage(error: BaseException | None) -> None:
    """What was typed wrongly has been told; where the docs tell of it is not yet."""
    if error is None:
        return
    from typer._click.exceptions import NoArgsIsHelpError, UsageError  # noqa: PLC0415

    if isinstance(error, UsageError) and not isinstance(error, NoArgsIsHelpError):
        from syncd import codes  # noqa: PLC0415 - not needed where all goes well, nor for a help text

        from .output import note, page  # noqa: PLC0415

        where = codes.see("usage")
        note(f"       see {page(where)}")


def _told(error: Exception, *, debug: bool) -> int:
    if isinstance(error, SyncdError):
        return told(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_host(error)
    return _of_the_ledger(error) or _unforeseen(error, debug=debug)


def told(error: SyncdError) -> int:
    """Say what went wrong; the exit code for it."""
    from syncd import codes  # noqa: PLC0415 - not needed where all goes well
    from syncd.ledger import file  # noqa: PLC0415

    from .output import complain, with_cure  # noqa: PLC0415

    match error:
        case ConfigError():
            complain(error.problems, "configuration")
            return CONFIGURATION
        case BrokenInvariant():
            complain([f"syncd stopped itself: {error}. Nothing is lost; please report this with the log. [bug]"])
            return BROKEN
    cures = (
        (file.DiskFull, "Make room there, or name another place."),
        (file.LedgerBusy, "Try again in a moment."),
        (file.LedgerForbidden, "Run it as the user of the daemon, or as root."),
        (file.LedgerTooNew, "Install the newer release here, too, or restore a copy of the ledger from before."),
        (file.LedgerMoved, "Let `ledger` in the configuration name the right place, or run `syncd migrate` again."),
    )
    usual = next((cure for kind, cure in cures if isinstance(error, kind)), "")
    endings: tuple[tuple[type[SyncdError], int, str], ...] = (
        (file.LedgerCorrupt, DAMAGED, "ledger-damaged"),
        (file.DiskFailed, DISK, "disk-failed"),
        (file.DiskFull, DISK, "disk-full"),
        (file.LedgerBusy, LATER, "try-again"),
        (file.LedgerForbidden, FORBIDDEN, "not-permitted"),
        (file.LedgerMoved, CONFIGURATION, "ledger-moved"),
        (file.LedgerTooNew, CONFIGURATION, "ledger-newer"),
        (file.LedgerError, FAILED, "ledger"),
        (Retry, LATER, "try-again"),
        (SyncdError, FAILED, "failed"),
    )
    status, code = next((status, code) for kind, status, code in endings if isinstance(error, kind))
    code = codes.of_trouble(error.trouble) if isinstance(error, Halt) else code
    complain([with_cure(str(error), getattr(error, "cure", usual))], code)
    return status


def _of_the_host(error: OSError) -> int:
    """An error of the operating system: which file, whose it is, and what to do."""
    from .output import complain, with_cure  # noqa: PLC0415

    what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    if error.errno in {errno.EACCES, errno.EPERM} and error.filename:
        cure = (
            f"run it as {_owner(Path(os.fsdecode(error.filename)))}, for example by sudo; you are {_user(os.geteuid())}"
        )
    else:
        cure = _CURES.get(error.errno or 0, "")
    ends = ((status, code) for numbers, status, code in _ENDINGS if error.errno in numbers)
    status, code = next(ends, (FAILED, "failed"))
    complain([with_cure(what, cure)], code)
    _silence()  # what could not be written to standard output would be tried once more
    return status


def _owner(path: Path) -> str:
    """Who may use a file: its owner, or that of the first folder above it that can be looked at."""
    for place in (path, *path.absolute().parents):
        with suppress(OSError):
            owner = _user(place.stat().st_uid)
            return owner if owner == "root" else f"{owner} or root"
    return "root"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _unforeseen(error: Exception, *, debug: bool) -> int:
    """A bug of ours: one line, its details elsewhere."""
    import traceback  # noqa: PLC0415

    from syncd.log import masked  # noqa: PLC0415

    from .output import complain, hidden  # noqa: PLC0415

    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
    details = masked("".join(traceback.format_exception(error)), hidden())
    if debug:
        sys.stderr.write(details + "\n")
        kept = "the details stand above"
    else:
        kept = _kept(details)
    complain([f"syncd met something that nobody foresaw: {place}. Please report it; {kept} [bug]"])
    return BROKEN


def _kept(details: str) -> str:
    """Write the details into a file that only this user can read."""
    import tempfile  # noqa: PLC0415

    head = f"syncd {__version__}, Python {sys.version.split()[0]}\n"
    folder = os.environ.get("STATE_DIRECTORY")  # a service's own /tmp is gone when it ends
    try:
        number, name = tempfile.mkstemp(prefix="syncd-error-", suffix=".txt", dir=folder)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(head + details + "\n")
    except OSError:
        return "once more with --debug shows the details"
    return f"the details, without secrets, are in {name}"


def _silence() -> None:
    """Let the interpreter's last flush go nowhere: it would fail again, with a traceback."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())


def _of_the_ledger(error: Exception) -> int:
    """The code of an error of SQLite that nobody has put into words; 0 where it is none."""
    from syncd.ledger.file import meaning  # noqa: PLC0415
    from syncd.ledger.sqlite import sqlite3  # noqa: PLC0415

    own = getattr(error, "sqlite_errorcode", 1) & 0xFF == 1
    return told(meaning(error, f"the ledger: {error}")) if isinstance(error, sqlite3.Error) and not own else 0


def _terminated(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(BY_SIGNAL + number)
