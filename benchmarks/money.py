"""Is the bill the least that was possible? Three simulated months, 5,000 people: see tests/simulation/money.py."""

from __future__ import annotations

import time

from tests.simulation import money

from .bars import Value
from .shapes import Say

SHOWN = 20


def measure(say: Say) -> dict[str, Value]:
    """The bill, the least, and how many differences there are between them, each of which is told."""
    began = time.process_time()
    found = money.bill()
    billed, least = sum(found.billed.values()), sum(found.least.values())
    say(f"money: {money.PEOPLE:,} people, {found.written:,} values written, {time.process_time() - began:.0f} s of CPU")
    say(f"money: billed {billed:,} credits {dict(found.billed)}, the least {least:,} {dict(found.least)}")
    for one in found.differences[:SHOWN]:
        say(f"money: {one}")
    return {
        "bill": Value(billed / least, billed, least),
        "differences": Value(len(found.differences)),
        "written": Value(found.written),
    }
