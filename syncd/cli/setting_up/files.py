"""Files that appear together or not at all: what `syncd init` writes. Nothing is left behind when it is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from syncd.contract.errors import ConfigError


def refuse_existing(paths: list[Path], *, force: bool) -> None:
    """Raises ConfigError where something would be overwritten that nobody said to overwrite."""
    there = [] if force else [path for path in paths if path.exists()]
    if there:
        raise ConfigError([f"{path} is there already: name another with --config, or add --force" for path in there])


@contextmanager
def staged(target: Path, text: str, others: Mapping[str, str]) -> Iterator[Path]:
    """The file, and others by their place beside it, in a folder of their own that is gone afterwards."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".syncd-init-", dir=target.parent))
    try:
        for name, content in {**others, target.name: text}.items():
            _write(folder / name, content)
        yield folder
    finally:
        shutil.rmtree(folder)


def put(folder: Path, target: Path, others: Mapping[str, str], *, force: bool) -> None:
    """Move what is staged to its place, the file itself last. A signal waits until that is done."""
    names = [*others, target.name]
    refuse_existing([target.parent / name for name in names], force=force)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        for name in names:
            (target.parent / name).parent.mkdir(mode=0o700, exist_ok=True)
            (folder / name).replace(target.parent / name)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _write(path: Path, text: str) -> None:
    """For this user alone, and on disk."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
