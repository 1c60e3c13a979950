"""What a Zeliq callback says: found, nothing found in each of its shapes, failed, and the odd ones.

Neither body carries an id of the job, as documented. Credits are decided here (what was found is
billed, only-invalid and nothing are refunded) and booked by `zeliq`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from syncd.sandbox.faults import Faults
from syncd.sandbox.world import Find, Person, World

RESULT_FAULTS: dict[str, str] = {
    "zeliq_failed": "the job fails: the callback is an error object, refunded (parameter: its message)",
    "zeliq_stranger": "the callback tells another person's name and values, and is billed",
    "zeliq_nothing": "nothing is found (parameter: shape null, empty, absent or bare)",
    "zeliq_nothing_shape": "nothing found always has this shape (while on; parameter as above)",
    "zeliq_several": "two more values are found, the last a repetition of the first in other writing",
    "zeliq_doubtful": "the most probable e-mail is a wrong one with a bad status (parameter: invalid or unknown)",
    "zeliq_odd_status": "an e-mail has a status nobody has heard of (parameter: the word, accept_all)",
    "zeliq_safe_to_send": "valid is worded `safe to send` (while on)",
    "zeliq_credit_text": "credit_used is a string (while on)",
    "zeliq_credit_missing": "credit_used is missing",
    "zeliq_credit_absurd": "credit_used makes no sense (parameter: its value, -3)",
    "zeliq_more_keys": "the callback has keys nobody has heard of (while on)",
}

SHAPES = ("null", "empty", "absent", "bare")
_WORDS = {"valid": "valid", "probable": "unknown", "catch_all": "catch-all", "unknown": "unknown", "invalid": "invalid"}

DEAR = Decimal(15)  # seen once for a phone in public material, which does not say when
DEAR_SHARE = 0.03  # of the people whose phone is found

Values = Sequence[tuple[str, str]]  # value and the vendor's word for its status, best first


@dataclass(frozen=True, slots=True)
class Result:
    """A callback's body, what the job costs in the end, and why."""

    body: dict[str, Any]
    charge: Decimal
    reason: str
    person: Person | None = None  # whom the answer is about
    told: tuple[Find, ...] = ()  # what the world says of the values in the body


class Results:
    """Looks values up in the world and words them as Zeliq does."""

    def __init__(self, world: World, faults: Faults, seed: int) -> None:
        self._world, self._faults, self._seed = world, faults, seed

    def write(self, field: str, asked: Mapping[str, str], person: Person | None, price: Decimal) -> Result:
        """The end of one job. `field`: email or phone; `price`: what a find costs."""
        if (message := self._faults.take("zeliq_failed")) is not None:
            body = {"statusCode": 500, "error": "Internal Server Error", "message": message or "Enrichment failed"}
            return Result(body, Decimal(0), "failed")
        if self._faults.take("zeliq_stranger") is not None:
            person, asked = self._stranger(field, person), {}
        forced = self._faults.take("zeliq_nothing")
        values = [] if forced is not None or person is None else self._values(field, person)
        if not values:
            contact = nothing(field, asked, person, forced or self._shape(asked))
            return Result(self._body(Decimal(0), contact), Decimal(0), "nothing found", person)
        usable = any(status != "invalid" for _, status in values)
        charge = self._price(field, person, price) if usable else Decimal(0)
        body = self._body(charge, found(field, asked, person, values))
        told = self._world.finds(person, "zeliq", field) if person else ()
        return Result(body, charge, "found" if usable else "only invalid", person, told)

    def _price(self, field: str, person: Person | None, price: Decimal) -> Decimal:
        """A few phones are dearer, always the same ones."""
        if field != "phone" or person is None:
            return price
        chance = random.Random(f"{self._seed}:dear:{person.key}")  # noqa: S311 - chance, not secrecy
        return DEAR if chance.random() < DEAR_SHARE else price

    def _values(self, field: str, person: Person) -> list[tuple[str, str]]:
        finds = self._world.finds(person, "zeliq", field)
        values = [(find.value, _WORDS.get(find.status, find.status)) for find in finds]
        values.sort(key=lambda value: value[1] == "invalid")  # stable: usable ones first
        if field == "phone":
            return self._more(values, ("+447700900987", "valid"), lambda number: f"{number[:3]} {number[3:]}")
        if (status := self._faults.take("zeliq_doubtful")) is not None:
            values.insert(0, (f"info@{person.domain}", status or "invalid"))
        if values and (word := self._faults.take("zeliq_odd_status")) is not None:
            values[0] = (values[0][0], word or "accept_all")
        if self._faults.setting("zeliq_safe_to_send") is not None:
            values = [(value, "safe to send" if status == "valid" else status) for value, status in values]
        return self._more(values, (f"office@{person.domain}", "catch-all"), str.upper)

    def _more(
        self, values: list[tuple[str, str]], second: tuple[str, str], rewrite: Callable[[str], str]
    ) -> list[tuple[str, str]]:
        if not values or self._faults.take("zeliq_several") is None:
            return values
        return [*values, second, (rewrite(values[0][0]), values[0][1])]

    def _body(self, charge: Decimal, contact: dict[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"credit_used": int(charge), "contact": contact}
        if self._faults.setting("zeliq_credit_text") is not None:
            body["credit_used"] = str(int(charge))
        if (absurd := self._faults.take("zeliq_credit_absurd")) is not None:
            body["credit_used"] = absurd or "-3"
        if self._faults.take("zeliq_credit_missing") is not None:
            del body["credit_used"]
        if self._faults.setting("zeliq_more_keys") is not None:
            body |= {"version": 3, "meta": {"providers": ["a", "b"], "contact": None}}
        return body

    def _shape(self, asked: Mapping[str, str]) -> str:
        """One of the three shapes of "nothing found", always the same for the same question."""
        told = self._faults.setting("zeliq_nothing_shape")
        chance = random.Random(f"{self._seed}:{sorted(asked.items())}")  # noqa: S311 - chance, not secrecy
        return told or chance.choice(SHAPES[:3])

    def _stranger(self, field: str, person: Person | None) -> Person | None:
        others = (other for other in self._world.people if other is not person)
        return next((other for other in others if self._world.finds(other, "zeliq", field)), None)


def found(field: str, asked: Mapping[str, str], person: Person | None, values: Values) -> dict[str, Any]:
    """The `contact` of a callback with values."""
    contact = _echo(field, asked, person)
    if field == "phone":
        return contact | {"most_probable_phone": values[0][0], "phones": [{"phone": value} for value, _ in values]}
    return contact | {
        "most_probable_email": values[0][0],
        "most_probable_email_status": values[0][1],
        "emails": [{"email": value, "status": status} for value, status in values],
    }


def nothing(field: str, asked: Mapping[str, str], person: Person | None, shape: str) -> dict[str, Any] | None:
    """The `contact` of a callback without values, in one of SHAPES (`bare`: no contact at all)."""
    if shape == "bare":
        return None
    contact = _echo(field, asked, person)
    if shape == "absent":
        return contact
    blank = None if shape == "null" else ""
    if field == "phone":
        return contact | {"most_probable_phone": blank, "phones": []}
    return contact | {"most_probable_email": blank, "most_probable_email_status": blank, "emails": []}


def _echo(field: str, asked: Mapping[str, str], person: Person | None) -> dict[str, Any]:
    """Who the callback is about: as the vendor knows them, else as they were asked for."""
    profile = (person.linkedin_url if person else None) or asked.get("linkedin_url")
    if field == "phone":
        theirs = person.emails[0] if person and person.emails else None
        return {"linkedin_url": profile, "email": asked.get("email") or theirs}
    return {
        "first_name": person.first_name if person else asked.get("first_name"),
        "last_name": person.last_name if person else asked.get("last_name"),
        "domain": person.domain if person else asked.get("domain"),
        "linkedin_url": profile,
    }
