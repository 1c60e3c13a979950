"""Final states made by hand, and sales, for the tests of the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from syncd.sandbox.billing import Bill
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.judge import Judgement, Sale, Waiting, judge_all, total
from syncd.sandbox.people import EMAIL, PHONE, Case, Ending, Find, Person, Record
from syncd.sandbox.world import Draw, World

WATERFALL = {EMAIL: ["zeliq", "fullenrich"], PHONE: ["fullenrich", "zeliq"]}


class Crm:
    """One CRM in its final state; at first nothing has been done."""

    def __init__(self, records: Sequence[Record], prefix: str) -> None:
        self.records = records
        self.rows = {one.number: Ending(f"{prefix}{one.number}", one.email, one.phone, one.mobile) for one in records}

    def endings(self) -> Mapping[int, Ending]:
        return self.rows

    def set(self, record: Record, **values: object) -> None:
        self.rows[record.number] = replace(self.rows[record.number], **values)  # type: ignore[arg-type]


class Run:
    """A world of special records and both its CRMs: what was written, what was sold, what waits."""

    def __init__(self, *cases: Case, salesforce: bool = False, contacts: int = 24) -> None:
        draw = Draw(10, 10, overlap=0.0, shares=dict.fromkeys(cases, 1 / len(cases)) if salesforce else {})
        shares: dict[Case, float] = {} if salesforce else dict.fromkeys(cases, 1 / len(cases))
        self.world = World(4, contacts, SandboxClock(), quirks=shares, salesforce=draw)
        self.hubspot = Crm([one for one in self.world.records if one.case], "h")
        self.salesforce = Crm([one for one in self.world.salesforce.records if one.case], "s")
        self.sales: list[Sale] = []
        self.waiting: list[Waiting] = []
        for crm in (self.hubspot, self.salesforce):
            self._fill_all(crm)

    def _fill_all(self, crm: Crm) -> None:
        """Every field holds what its person's best vendor finds, unless the case makes that wrong."""
        for one in crm.records:
            for field in (EMAIL, PHONE):
                if one.lacks(field) and one.case is not Case.FILLER:
                    crm.set(one, **{field: best(one.person, field)})

    def of(self, case: Case, *, there: bool = False) -> list[Record]:
        crm = self.salesforce if there else self.hubspot
        return [one for one in crm.records if one.case is case]

    def blank(self, *records: Record, there: bool = False) -> None:
        crm = self.salesforce if there else self.hubspot
        for one in records:
            crm.set(one, email=one.email, phone=one.phone, mobile=one.mobile)

    def sell(
        self, person: Person, field: str, vendor: str = "zeliq", *, cost: int = 1, told: Sequence[Find] | None = None,
        heard: bool = True, astray: bool = False, **asked: str | None,
    ) -> None:  # fmt: skip
        """A billed answer about the person; `asked`: as World.find_person is asked."""
        question = {name: text for name, text in asked.items() if text}
        finds = tuple(told) if told is not None else person.finds[vendor, field]
        kind = "work_email" if (vendor, field) == ("fullenrich", EMAIL) else field
        at = float(len(self.sales))
        bill = Bill(f"j{at}", person.key, kind, Decimal(cost), at, "found", finds, question, astray)
        self.sales.append(Sale(vendor, bill, heard))

    def judge(self, accept: tuple[str, ...] = ("valid",)) -> Judgement:
        held = {"hubspot": (self.hubspot, self.hubspot.records), "there": (self.salesforce, self.salesforce.records)}
        judged = judge_all(self.world, held, WATERFALL, accept, waiting=self.waiting, sales=self.sales)
        return total(judged.values())


def best(person: Person, field: str) -> str:
    """The first value that can be used of those that either vendor finds."""
    finds = (find for vendor in WATERFALL[field] for find in person.finds.get((vendor, field), ()))
    return next(find.value for find in finds if find.usable)


def named(record: Record) -> dict[str, Any]:
    """The question by the record's name and employer."""
    name = {"first_name": record.first_name, "last_name": record.last_name}
    return {**name, "company": record.company, "domain": record.website}
