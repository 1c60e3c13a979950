"""What syncd takes while there is nothing to do, with one CRM and one provider; and what a start and `--help` take."""

from __future__ import annotations

import contextlib
import time
from statistics import median

from .bars import Value
from .processes import Daemon, Vendors, configuration, cpu_of
from .shapes import Say

SETTLES, WINDOW = 8.0, 20.0  # seconds until it is quiet, and for which it is watched


def measure(rounds: int, say: Say) -> dict[str, Value]:
    """All figures; the daemons are watched side by side."""
    starts, helps = list[float](), list[float]()
    with Vendors(0) as vendors, contextlib.ExitStack() as stack:
        daemons = []
        for _ in range(rounds):
            daemon = stack.enter_context(Daemon(configuration(vendors, every="15m"))).wait_for_listener()
            starts.append(daemon.cpu)
            daemons.append(daemon)
            helps.append(cpu_of("syncd", "--help"))
        say(f"idle: watching {rounds} daemons for {WINDOW:g} s")
        time.sleep(SETTLES)
        before, began = [daemon.cpu for daemon in daemons], time.monotonic()
        time.sleep(WINDOW)
        for daemon in daemons:
            daemon.require_alive()
        took = time.monotonic() - began
        used = [100 * (daemon.cpu - cpu) / took for daemon, cpu in zip(daemons, before, strict=True)]
        memory = [daemon.memory() for daemon in daemons]
    return {
        "memory": Value(median(memory)),
        "cpu": Value(median(used)),
        "help": Value(median(helps)),
        "start": Value(median(starts)),
    }
