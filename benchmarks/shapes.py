"""The whole job (pull, ask, be answered, write) in the three shapes that answers come in, by the daemon and by the bare
script in alternating rounds.

CPU is the process's, less what a run with a single contact takes: start, imports, first calls. A rate is taken until
nine tenths are written, so that nobody's last, part-filled batch is waited for.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from .bars import Value
from .processes import Daemon, NotMeasured, Process, Vendors, configuration, until

Say = Callable[[str], None]
CRM_CALLS = ("search", "read", "update", "companies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`speed`: of the vendors' and the daemon's clock: as fast as lifts the vendors' limits, as slow as leaves the
    daemon's waiting for company a meaning."""

    contacts: int
    provider: str
    each: bool
    speed: float
    within: float = 150.0  # seconds


SHAPES = {
    "bulk": Shape(contacts=3_000, provider="fullenrich", each=False, speed=20.0),
    "each": Shape(contacts=1_000, provider="fullenrich", each=True, speed=5.0),
    "zeliq": Shape(contacts=400, provider="zeliq", each=False, speed=10.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`cpu`: seconds in all. `calls`: to the CRM for pulling and writing. `file`: bytes of the ledger at the end."""

    cpu: float
    rate: float = 0.0
    calls: int = 0
    memory: float = 0.0
    file: int = 0


def measure(name: str, rounds: int, say: Say) -> dict[str, Value]:
    """All figures of a shape."""
    shape = SHAPES[name]
    daemons, bares, alone = list[Run](), list[Run](), list[Run]()
    for number in range(rounds):
        alone.append(by_daemon(shape, 1))
        order = (by_daemon, by_script) if number % 2 else (by_script, by_daemon)
        for work in order:
            run = work(shape, shape.contacts)
            (daemons if work is by_daemon else bares).append(run)
            say(f"{name} {number + 1} {work.__name__}: {run.rate:.0f} contacts/s, {run.cpu:.2f} s of CPU")
    return figures(shape.contacts, daemons, bares, alone)


def figures(contacts: int, daemons: list[Run], bares: list[Run], alone: list[Run]) -> dict[str, Value]:
    """Medians of rounds; a ratio is the median of each round's own."""
    once, empty = median(run.cpu for run in alone), median(run.file for run in alone)
    ours = [1e6 * (run.cpu - once) / contacts for run in daemons]  # ms for 1,000 contacts
    theirs = [1e6 * run.cpu / contacts for run in bares]
    pairs = list(zip(daemons, bares, strict=True))
    return {
        "cpu": Value(median(a / b for a, b in zip(ours, theirs, strict=True)), median(ours), median(theirs)),
        "cpu_ms": Value(median(ours)),
        "rate": Value(
            median(a.rate / b.rate for a, b in pairs), median(a.rate for a in daemons), median(b.rate for b in bares)
        ),
        "calls": Value(
            median(a.calls / b.calls for a, b in pairs),
            median(a.calls for a in daemons),
            median(b.calls for b in bares),
        ),
        "file": Value(median((run.file - empty) / contacts for run in daemons)),
        "memory": Value(median(run.memory for run in daemons)),
    }


def by_daemon(shape: Shape, contacts: int) -> Run:
    """`syncd run`, from its start to the last value that was seen to stand."""
    with Vendors(contacts, speed=shape.speed) as vendors:
        with Daemon(configuration(vendors, shape.provider, each=shape.each)) as daemon:
            wanted = 2 * contacts

            def done() -> Any:
                daemon.require_alive()
                counts = vendors.counts()
                return counts if counts["values"] >= wanted else None

            try:
                until(f"{contacts} contacts", done, within=shape.within, every=0.25)
            except NotMeasured as problem:
                raise NotMeasured(f"{problem}; {vendors.counts()}\n{daemon.tail()}") from None
            time.sleep(0.7)  # the last batch is read once more
            counts, cpu, memory = vendors.counts(), daemon.cpu, daemon.memory(peak=True)
            daemon.end()
            file = sum(path.stat().st_size for path in daemon.folder.glob("ledger.db*"))
        return _run(shape, contacts, counts, cpu=cpu, memory=memory, file=file)


def by_script(shape: Shape, contacts: int) -> Run:
    """The same by the bare script."""
    with Vendors(contacts, speed=shape.speed) as vendors:
        options = {"url": vendors.url, "contacts": contacts, "provider": shape.provider, "each": shape.each}
        with Process("benchmarks.bare", json.dumps(options)) as script:
            try:
                told = json.loads(script.popen.communicate(timeout=shape.within)[0] or b"{}")
            except subprocess.TimeoutExpired:
                raise NotMeasured(f"the bare script did not end within {shape.within:g} s") from None
        if "cpu" not in told:
            raise NotMeasured("the bare script failed; run it by hand: see benchmarks/bare.py")
        return _run(shape, contacts, vendors.counts(), cpu=told["cpu"])


def _run(shape: Shape, contacts: int, counts: Mapping[str, Any], **more: Any) -> Run:
    if counts["wrong"] or counts["values"] != 2 * contacts:
        raise NotMeasured(f"{counts['wrong']} values are wrong, {counts['values']} of {2 * contacts} were written")
    began = counts["asked_first"] if shape.provider == "zeliq" else counts["began"]
    rate = 0.9 * contacts / max(counts["nearly"] - began, 1e-3)
    return Run(rate=rate, calls=sum(counts["calls"].get(kind, 0) for kind in CRM_CALLS), **more)
