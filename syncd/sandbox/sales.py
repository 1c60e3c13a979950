"""What vendors have sold, as the judge looks at it: every answer with its bill and its question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .billing import Bill
from .people import EMAIL, PHONE, Record, fold, profile

_FIELDS = {"email": EMAIL, "work_email": EMAIL, "phone": PHONE}  # a bill's kind to a record's field


@dataclass(frozen=True, slots=True)
class Sale:
    """One vendor's answer about one field, with its bill."""

    vendor: str
    bill: Bill
    heard: bool  # whether the answer has reached the client

    @property
    def field(self) -> str | None:
        """The record's field; None for kinds that records do not have."""
        return _FIELDS.get(self.bill.kind)

    def may_be_for(self, record: Record) -> bool:
        """Whether the question says of the person nothing but what the record says."""
        asked = self.bill.asked
        agree = []
        if "linkedin_url" in asked:
            agree.append(profile(asked["linkedin_url"]) == profile(record.linkedin_url))
        if "first_name" in asked:
            agree.append(
                named(asked.get("first_name"), asked.get("last_name")) == named(record.first_name, record.last_name)
            )
        if "email" in asked:
            agree.append(asked["email"].lower() in mailboxes(record))
        return bool(agree) and all(agree)


def sales_of(vendors: Mapping[str, Any], since: float = 0.0) -> list[Sale]:
    """All that these vendors have billed, oldest first. A vendor without bills sells nothing.

    `since`: sandbox seconds; what was billed before is left out.
    """
    sales = []
    for name, vendor in vendors.items():
        if hasattr(vendor, "bills"):
            heard = vendor.heard()
            sales += [Sale(name, bill, bill.job in heard) for bill in vendor.bills if bill.at >= since]
    return sorted(sales, key=lambda one: one.bill.at)


def named(first: str | None, last: str | None) -> str:
    """A name as it is compared."""
    return fold(first) + "|" + fold(last)


def mailboxes(record: Record) -> set[str]:
    """The record's addresses at the start, in lower case."""
    return {each.lower() for each in (record.email, *record.other_emails) if each}
