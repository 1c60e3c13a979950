"""What a process takes, looked at from outside by /proc, and what to make of the figures."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

MIB = 1 << 20
_LEAK = 1.0  # MiB an hour, and MiB in all: below either it is noise


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at a moment."""

    at: float
    rss: float  # MiB
    fds: int
    wal: float  # MiB


@dataclass
class Gauge:
    """Looks at a process each second. A context manager's value, see `watching`."""

    pid: int
    wal: Path
    samples: list[Sample] = field(default_factory=list)

    def look(self) -> None:
        """Take one sample."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        rss = int(status.partition("VmRSS:")[2].split()[0]) / 1024
        fds = sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
        wal = self.wal.stat().st_size / MIB if self.wal.exists() else 0.0
        self.samples.append(Sample(time.monotonic(), rss, fds, wal))

    @property
    def grown(self) -> float:
        """MiB between the first sample and the largest."""
        return max(one.rss for one in self.samples) - self.samples[0].rss


@contextmanager
def watching(pid: int, ledger: Path, every: float = 1.0) -> Iterator[Gauge]:
    """Samples of a process and of its ledger's -wal, for as long as the block runs."""
    gauge, over = Gauge(pid, ledger.with_name(ledger.name + "-wal")), threading.Event()
    gauge.look()

    def look_on() -> None:
        while not over.wait(every):
            gauge.look()

    looking = threading.Thread(target=look_on, name="gauge")
    looking.start()
    try:
        yield gauge
    finally:
        over.set()
        looking.join()


def slope(samples: Sequence[Sample]) -> float:
    """MiB an hour, by least squares."""
    return statistics.linear_regression([one.at for one in samples], [one.rss for one in samples]).slope * 3600


def leaks(samples: Sequence[Sample]) -> bool:
    """Whether memory clearly grows: by more than 1 MiB an hour, by more than 1 MiB in this time, and in each quarter of
    it above the one before. Caches that fill, and a heap that finds its size, grow in steps and then stand."""
    size = len(samples) // 4
    quarters = [statistics.fmean(one.rss for one in samples[n * size : (n + 1) * size]) for n in range(4)]
    steady = all(after > before for before, after in pairwise(quarters))
    return steady and slope(samples) > _LEAK and quarters[-1] - quarters[0] > _LEAK


def percentile(values: Sequence[float], q: float) -> float:
    """The value that a share `q` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]
