"""What a disk really holds of a process's files when the power is cut, told from its system calls.

The kernel is taken at its worst: nothing is on the disk before an fsync has succeeded, and an fsync that fails makes
it forget what was to be written. The pages stay readable, so that the next process finds them; they are never written
unless somebody writes them again. (https://wiki.postgresql.org/wiki/Fsync_Errors)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink"
_PAGE = 4096
_CALL = re.compile(r"(\w+)\((?:\d+<([^>]*)>|\"((?:\\x..)*)\")(.*)\) = (-?\d+)")
_BEGUN, _RESUMED, _CUT_OFF = " <unfinished ...>", " resumed>", " = ?"
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass
class _File:
    cached: bytearray
    kept: bytearray
    dirty: set[int] = field(default_factory=set)

    def write(self, data: bytes, at: int) -> None:
        self.cached.extend(bytes(max(0, at + len(data) - len(self.cached))))
        self.cached[at : at + len(data)] = data
        self.dirty.update(range(at // _PAGE, (at + len(data) - 1) // _PAGE + 1))

    def sync(self, *, failed: bool) -> None:
        for page in () if failed else sorted(self.dirty):
            piece = self.cached[page * _PAGE : (page + 1) * _PAGE]
            self.kept.extend(bytes(max(0, page * _PAGE + len(piece) - len(self.kept))))
            self.kept[page * _PAGE : page * _PAGE + len(piece)] = piece
        self.dirty.clear()

    def truncate(self, size: int) -> None:
        del self.cached[size:], self.kept[size:]
        self.dirty = {page for page in self.dirty if page * _PAGE < size}


@dataclass
class Disk:
    """The files of one folder, from what is on the disk now."""

    paths: list[Path]
    files: dict[str, _File] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in self.paths:
            held = path.read_bytes() if path.exists() else b""
            self.files[str(path)] = _File(bytearray(held), bytearray(held))

    @property
    def strace(self) -> tuple[str, ...]:
        """Options that make strace tell what `follow` reads."""
        paths = [word for path in self.paths for word in ("-P", str(path))]
        return ("-f", "-qq", "-y", "-xx", "-s", str(2 << 20), *paths, "-e", CALLS)

    def follow(self, trace: Iterable[str]) -> int:
        """A process has run; returns how many of its syncs failed."""
        failures = 0
        for line in _whole(trace):
            if line.endswith(_CUT_OFF):
                continue
            found = _CALL.search(line)
            assert found is not None, line
            call, opened, named, rest, result = found.groups()
            file = self.files.get(_bytes(opened if opened is not None else named).decode())
            if file is None:
                continue
            if call == "pwrite64" and int(result) > 0:
                text = _TEXT.search(rest)
                assert text is not None
                file.write(_bytes(text[1])[: int(result)], int(rest.rpartition(",")[2]))
            elif call in ("fsync", "fdatasync"):
                failures += int(result) < 0
                file.sync(failed=int(result) < 0)
            elif call in ("ftruncate", "unlink") and int(result) == 0:
                file.truncate(int(rest.rpartition(",")[2]) if call == "ftruncate" else 0)
            else:
                assert call != "write", "only pwrite64 is understood"
        return failures

    def cut_the_power(self, folder: Path) -> None:
        """What is found when it is back, in another folder."""
        folder.mkdir()
        for path, file in self.files.items():
            if file.kept:
                (folder / Path(path).name).write_bytes(file.kept)


def _whole(trace: Iterable[str]) -> Iterator[str]:
    """The calls as each came to its end. A signal can part one into two lines; the ledger has one writer, so no other
    call for its files begins meanwhile. One that never ends was cut off with its process."""
    begun: dict[str, str] = {}
    for line in trace:
        thread, _, said = line.partition(" ")
        said = said.strip()
        if said.startswith("<... "):
            yield begun.pop(thread) + said.partition(_RESUMED)[2]
            continue
        if said.startswith(("---", "+++")):
            continue  # a signal, or an end
        assert not begun, f"two threads wrote at a time: {begun} and {line}"
        if said.endswith(_BEGUN):
            begun[thread] = said.removesuffix(_BEGUN)
        else:
            yield said


def _bytes(text: str) -> bytes:
    """Of strace's `\\x2f\\x77…`; a path may be printed as it is."""
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()
