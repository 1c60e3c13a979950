"""How many calls an action will need of the CRMs, told before somebody wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil

from syncd.contract.ports import Crm


def needed(crms: Mapping[str, Crm], records: Iterable[str]) -> int:
    """For a value in each of these records (`connection/object/id`): reads before and after, and the update between."""
    total = 0
    for name, n in Counter(one.partition("/")[0] for one in set(records)).items():
        if (crm := crms.get(name)) is not None:
            total += 2 * ceil(n / crm.capabilities.read_batch) + ceil(n / crm.capabilities.write_batch)
    return total
