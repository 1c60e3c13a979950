"""The live screen of `syncd status --watch`: draws, listens to three keys, and leaves the terminal as it was."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console, Group
from rich.live import Live

from syncd.ledger.file import LedgerError

from . import screen
from .screen import View

EVERY = 2.0  # seconds between two looks
TICK = 0.5  # between two drawings, for ages and another size of the window

Look = Callable[[], View]


def watch(look: Look, console: Console) -> None:
    """Until q, Ctrl-C or SIGTERM. Where nothing can be drawn over (TERM=dumb), one snapshot follows the other."""
    if console.is_dumb_terminal:
        while True:
            sys.stdout.write(screen.plain(look(), console.width) + "\n")
            sys.stdout.flush()
            time.sleep(EVERY)
    view = look()
    with (
        _keys() as keys,
        Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live,
    ):
        _draw_until_quit(view, look, keys, lambda one: _draw(live, one))


def _draw_until_quit(view: View, look: Look, keys: Callable[[float], str], draw: Callable[[View], None]) -> None:
    due = time.monotonic() + EVERY
    while True:
        draw(view)
        typed = keys(TICK)
        if "q" in typed.lower():
            return
        for key in typed:
            view = _after(view, key)
        if not view.paused and (time.monotonic() >= due or "p" in typed.lower()):
            view, due = _looked(view, look), time.monotonic() + EVERY


def _after(view: View, key: str) -> View:
    match key:
        case "p" | "P":
            return replace(view, paused=not view.paused)
        case "?":
            return replace(view, help=not view.help)
        case "\x1b":
            return replace(view, help=False)
    return view


def _looked(before: View, look: Look) -> View:
    """A new look; where the ledger can't be read, the one before and why."""
    try:
        return replace(look(), paused=before.paused, help=before.help)
    except LedgerError as error:
        return replace(before, trouble=f"the ledger can't be read now: {error}")


def _draw(live: Live, view: View) -> None:
    size = live.console.size
    live.update(Group(*screen.lines(view, size.width, size.height, time.monotonic())), refresh=True)


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """A function that waits for keys, so many seconds at most: what was typed. It is not shown meanwhile."""
    if not sys.stdin.isatty():
        yield _nothing_typed
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    try:
        yield lambda seconds: _typed(number, seconds)
    finally:
        termios.tcsetattr(number, termios.TCSANOW, before)


def _nothing_typed(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _typed(number: int, seconds: float) -> str:
    ready, _, _ = select.select([number], [], [], seconds)
    return os.read(number, 64).decode("ascii", "replace") if ready else ""
