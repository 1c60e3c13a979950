"""Whether a CRM ended up as it should have: its final state against the world's truth. Never asks syncd.

What a field should hold, first rule that fits:
- the record was deleted: nothing is expected; it was merged: what the record it was merged with held;
- a colleague set or cleared it during the run: that;
- it held something at the start: still that;
- it must not be filled (opted out, in either CRM, cleared on purpose, the e-mail of another contact, nobody's record),
  and a CRM says so: blank;
- the first vendor of the waterfall that could be asked and finds an acceptable value: that value, or the one
  that the person's record in the other CRM yields by the same rule; else blank, or that one.
Where the evidence leaves it to the client whether a value is written or waits for review, blank will do as well; then
`judge_sales` sees to it that nothing was thrown away. What was bought is judged there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from .judge_fields import FieldJudge
from .judge_sales import judge_sales
from .judgement import Judgement, total
from .people import Ending, Record
from .sales import Sale
from .waiting import Waiting
from .world import World

__all__ = ["Crm", "Judgement", "Sale", "Waiting", "judge", "judge_all", "total"]


class Crm(Protocol):
    """What is judged."""

    def endings(self) -> Mapping[int, Ending]:
        """How each record of the world ended up, by its number."""


def judge(
    world: World,
    crm: Crm,
    waterfall: Mapping[str, Sequence[str]],
    accept: Collection[str] = ("valid",),
    records: Sequence[Record] | None = None,
    *,
    waiting: Iterable[Waiting] = (),
    sales: Sequence[Sale] = (),
) -> Judgement:
    """Compare. `waterfall`: field (email, phone) to vendors in order; `accept`: e-mail statuses (people.STATUSES);
    `records`: what the CRM held at the start, by default HubSpot's; `waiting`: values that wait for review; `sales`:
    what vendors have answered and billed.
    """
    held = {"": (crm, world.records if records is None else records)}
    return judge_all(world, held, waterfall, accept, waiting=waiting, sales=sales)[""]


def judge_all(
    world: World,
    crms: Mapping[str, tuple[Crm, Sequence[Record]]],
    waterfall: Mapping[str, Sequence[str]],
    accept: Collection[str] = ("valid",),
    *,
    waiting: Iterable[Waiting] = (),
    sales: Sequence[Sale] = (),
) -> dict[str, Judgement]:
    """As `judge`, of several CRMs by name, each with its records at the start."""
    told = list(waiting)
    judges = {
        name: FieldJudge(world, records, crm.endings(), waterfall, accept, waiting=told, sales=sales)
        for name, (crm, records) in crms.items()
    }
    results = {name: one.judge() for name, one in judges.items()}
    judge_sales(world, list(judges.values()), sales)
    return results
