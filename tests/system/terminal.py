"""A command on a real terminal: a pseudo-terminal of a given size, and what a person sees on it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyte

from .rig import PATIENCE, GivenUp, environment


@dataclass
class Terminal:
    """A context manager that kills what is left of the command. `said`: everything that it has written."""

    arguments: Sequence[str | Path]
    cwd: Path
    columns: int = 80
    lines: int = 40
    environ: dict[str, str] = field(default_factory=dict)
    said: bytes = b""

    def __enter__(self) -> Terminal:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", self.lines, self.columns, 0, 0))
        self.settings = termios.tcgetattr(there)
        self._there = there  # kept open, so that its settings can be read afterwards
        self.screen = pyte.Screen(self.columns, self.lines)
        self._stream = pyte.ByteStream(self.screen)
        environ = {**environment(TERM="xterm-256color"), **self.environ}
        del environ["COLUMNS"]
        command = [sys.executable, "-m", "syncd", *map(str, self.arguments)]
        self.process = subprocess.Popen(
            command, cwd=self.cwd, env=environ, stdin=there, stdout=there, stderr=there, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._here)
        os.close(self._there)

    def until(self, text: str, *, within: float = PATIENCE) -> str:
        """Read until this stands in what was written after the last match; returns that."""
        end = time.monotonic() + within
        while text not in (told := self.said.decode(errors="replace")):
            self._read_some(end, text)
        before, _, after = told.partition(text)
        self.said = after.encode()
        return before

    def until_shown(self, *texts: str, within: float = PATIENCE) -> list[str]:
        """Read until all of these stand on the screen; returns its lines."""
        end = time.monotonic() + within
        while not all(any(text in line for line in self.screen.display) for text in texts):
            self._read_some(end, " and ".join(texts))
        return [line.rstrip() for line in self.screen.display]

    def type(self, text: str) -> None:
        """As if on the keyboard."""
        os.write(self._here, text.encode())

    def resize(self, columns: int) -> None:
        """As if somebody pulled at the window."""
        fcntl.ioctl(self._here, termios.TIOCSWINSZ, struct.pack("HHHH", self.lines, columns, 0, 0))
        self.screen.resize(self.lines, columns)

    def interrupt(self) -> None:
        """Ctrl-C, by which the terminal sends SIGINT to the group in the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self, *, within: float = PATIENCE) -> int:
        """Read until the command has ended; returns its exit code."""
        end = time.monotonic() + within
        while self.process.poll() is None:
            with contextlib.suppress(GivenUp):
                self._read_some(min(end, time.monotonic() + 0.05), "the end")
            if time.monotonic() > end:
                raise GivenUp("the command does not end")
        with contextlib.suppress(GivenUp):
            while True:
                self._read_some(time.monotonic() + 0.05, "the rest")
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Are the terminal's settings those of before, and is its cursor shown on its usual screen?"""
        return termios.tcgetattr(self._there) == self.settings and not self.screen.cursor.hidden

    def _read_some(self, end: float, what: str) -> None:
        os.set_blocking(self._here, False)
        while True:
            try:
                some = os.read(self._here, 65_536)
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EIO}:
                    raise
                some = b""
            if some:
                self.said += some
                self._stream.feed(some)
                return
            if time.monotonic() > end:
                raise GivenUp(f"{what!r} does not appear in: {self.said.decode(errors='replace')[-3000:]}")
            time.sleep(0.01)
