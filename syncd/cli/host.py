"""What of this host keeps `syncd run` from working, as far as it can be seen without changing anything.

Each function looks at one thing and returns findings, for `check` and `doctor`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from syncd.config import Address, Settings
from syncd.contract.model import Finding, Level
from syncd.ledger.engines import WITHOUT_PSYCOPG
from syncd.ledger.file import LedgerError
from syncd.ledger.place import Url

Where = str
Told = tuple[Where, Finding]
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs", "vboxsf", "davfs"}
_MOUNTS = Path("/proc/self/mounts")
_LOCKS = Path("/proc/locks")


def findings(settings: Settings) -> list[Told]:
    """Everything about the ledger's place and the ports."""
    path = settings.ledger.path
    holder, told = None, list[Told]()
    if path is not None:
        holder = running(path)
        parts = (folder(path.parent), owners(path), space(path, settings.ledger.reserve), lock(path, holder))
        told = [("ledger", one) for part in parts for one in _as_far_as_allowed(part)]
    elif isinstance(settings.ledger.place, Url):
        told = [("ledger", one) for one in database(settings.ledger.place)]
    return told + [("admin", one) for one in port(settings.admin.listen, "admin.listen") if holder is None]


def database(url: Url) -> Iterator[Finding]:
    """Can it be reached, and does it keep what it says it keeps?"""
    try:
        from syncd.ledger.postgres import PostgresEngine  # noqa: PLC0415 - only where a URL is configured

        found = PostgresEngine(url).doubts()
    except ImportError:
        yield wrong(WITHOUT_PSYCOPG, 'pip install "syncd[postgres]"', "ledger")
        return
    except LedgerError as error:
        yield wrong(str(error), "See whether PostgreSQL runs there, and lets this user in.", "ledger")
        return
    for one in found:
        yield (wrong if one.fatal else doubtful)(one.what, one.cure, "ledger")
    if not found:
        yield ok(f"{url} keeps each commit on a synchronous standby, too")


def _as_far_as_allowed(part: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from part
    except OSError as error:
        cure = "Run this as root, or as the user of `syncd run`."
        yield wrong(f"{error.filename}: {error.strerror}", cure, "not-permitted")


def ok(what: str) -> Finding:
    return Finding(level=Level.OK, what=what)


def wrong(what: str, cure: str, code: str) -> Finding:
    return Finding(level=Level.ERROR, what=what, cure=cure, code=code)


def doubtful(what: str, cure: str, code: str) -> Finding:
    return Finding(level=Level.WARNING, what=what, cure=cure, code=code)


def folder(path: Path) -> Iterator[Finding]:
    """Can the ledger be made and written there?"""
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not there.is_dir():
        yield wrong(f"{there} is no folder", "Name another place in ledger.path.", "host-folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        what = "can't be written" if there == path else f"is missing, and can't be made in {there},"
        cure = f"chown it to the user of `syncd run`, or run this as {_owner(there)}."
        yield wrong(f"{path} {what} by this user", cure, "host-folder")
    elif there != path:
        yield ok(f"{path} is made at the first start")
    elif (mode := path.stat().st_mode & 0o777) & 0o077:
        yield doubtful(f"{path} is open to other users (mode {mode:o})", f"chmod 700 {path}", "host-folder")
    if (kind := file_system(there)) in REMOTE:
        what = f"{path} is on a remote file system ({kind}), where SQLite's locks and memory maps don't hold"
        yield wrong(what, "Put the ledger on a local disk.", "host-folder")


def owners(path: Path) -> Iterator[Finding]:
    """A file that root made in the daemon's folder keeps the daemon from starting."""
    if not path.parent.is_dir() or not os.access(path.parent, os.R_OK | os.X_OK):
        return
    owner = path.parent.stat().st_uid
    for one in sorted(path.parent.glob(path.name + "*")):
        if (theirs := one.stat().st_uid) != owner:
            what = f"{one} belongs to user {theirs}, and its folder to user {owner}"
            yield wrong(what, f"chown --reference={path.parent} {one}", "host-folder")


def space(path: Path, reserve: int) -> Iterator[Finding]:
    """Is as much free as must be, for anything to be bought?"""
    there = next(one for one in path.absolute().parents if one.exists())
    free = shutil.disk_usage(there).free
    if free < reserve:
        what = f"{free / 1e6:,.0f} MB are free beside the ledger, less than ledger.reserve: nothing is bought"
        yield wrong(what, f"Make room on the disk of {there}; {reserve / 1e6:,.0f} MB must be free.", "disk")
    elif free < 4 * reserve:
        what = f"only {free / 1e6:,.0f} MB are free beside the ledger"
        yield doubtful(what, f"Make room on the disk of {there}.", "disk")


def running(path: Path) -> int | None:
    """The process that has the ledger, or 0 where that can't be told; None: nobody has it."""
    try:
        number = os.open(path.with_name(path.name + ".lock"), os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(os.fstat(number).st_ino)
    finally:
        os.close(number)
    return None


def lock(path: Path, holder: int | None) -> Iterator[Finding]:
    """Whoever has the ledger, if it is no syncd."""
    if holder is None:
        return
    command = _command(holder)
    if holder and "syncd" not in command:
        what = f"process {holder} ({command or 'it has ended by now'}) holds the lock of {path}, and is no syncd"
        yield wrong(what, "End it, or give syncd its own ledger.path.", "ledger-in-use")
    else:
        yield ok(f"syncd runs{f' (process {holder})' if holder else ''}, and has {path} open")


def port(address: Address, key: str) -> Iterator[Finding]:
    """Could a listener be opened there?"""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((address.host, address.port))
        except OSError as error:
            cure = f"Choose another {key}, or see what listens there: ss -ltnp"
            yield wrong(f"{key} {address}: {error.strerror}", cure, "host-port")


def file_system(path: Path) -> str:
    """The kind of the file system that a folder is on; "" where that can't be told."""
    try:
        lines = [line.split() for line in _MOUNTS.read_text("utf-8").splitlines()]
    except OSError:
        return ""
    real = path.resolve()
    fitting = [(len(place), kind) for _, place, kind, *_ in lines if real.is_relative_to(place.replace("\\040", " "))]
    return max(fitting, default=(0, ""))[1]


def _holder(inode: int) -> int:
    """Which process holds the lock of a file, as the kernel lists it."""
    try:
        lines = [line.split() for line in _LOCKS.read_text("ascii").splitlines()]
    except OSError:
        return 0
    return next((int(one[4]) for one in lines if one[1] == "FLOCK" and one[5].endswith(f":{inode}")), 0)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _owner(path: Path) -> str:
    return f"user {path.stat().st_uid}"
