"""An emulated vendor's side of the money: the balance, what is held, and every bill.

Exact, so that a test can compare the daemon's ledger with what was really charged. Prices are
each vendor's to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .people import Find


@dataclass(frozen=True, slots=True)
class Bill:
    """What one job (for FullEnrich: one contact of a job, per kind of value) cost in the end."""

    job: str  # the vendor's id of the job
    person: str | None  # World's key of whom the answer is about; None when the vendor did not know the person
    kind: str  # email, phone, work_email, personal_email
    credits: Decimal  # 0 when nothing was charged
    at: float  # sandbox seconds
    reason: str  # found, nothing found, history, failed
    told: tuple[Find, ...] = ()  # what the answer says, best first
    asked: Mapping[str, str] = field(default_factory=dict)  # as given to World.find_person, without blanks
    astray: bool = False  # a fault made the answer be about somebody else than was asked for


class Account:
    """Credits of one customer."""

    def __init__(self, balance: Decimal) -> None:
        self.balance = balance  # what the vendor would report now
        self.held = Decimal(0)  # taken off the balance, not yet earned
        self.billed = Decimal(0)
        self.bills: list[Bill] = []

    def hold(self, amount: Decimal) -> None:
        """Take an amount off the balance until its job is done."""
        self.balance -= amount
        self.held += amount

    def release(self, amount: Decimal) -> None:
        """Put a held amount back; a charge follows if the job earned one."""
        self.balance += amount
        self.held -= amount

    def charge(self, bill: Bill) -> None:
        """Book a bill, also one of zero credits."""
        self.balance -= bill.credits
        self.billed += bill.credits
        self.bills.append(bill)
