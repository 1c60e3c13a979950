"""A lean HubSpot portal: so many plain contacts who lack an e-mail and a phone, without limits, faults or delay.

It is much faster than the sandbox, so that the daemon is measured and not the vendor. What it does not know is a 404.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

FIELDS = ("email", "phone")
EMPLOYERS = 89
_LINES = ("+3319900", "+3326191", "+3335301", "+3346571", "+3353649")  # which the regulator keeps for fiction
_MADE_AT = 1_767_225_600.0  # when the records were made, UTC seconds
_NAMES = (
    *("firstname", "lastname", "company", "website", "country", "email", "phone", "mobilephone", "hs_linkedin_url"),
    *("associatedcompanyid", "hs_email_domain", "hs_email_optout", "hs_legal_basis", "lastmodifieddate", "createdate"),
    "hs_object_id",
)

Json = dict[str, Any]


def email_of(number: int) -> str:
    return f"nora.lind{number}@firm{number % EMPLOYERS}.example"


def phone_of(number: int) -> str:
    return f"{_LINES[number // 10_000 % len(_LINES)]}{number % 10_000:04}"


TRUTH: Mapping[str, Callable[[int], str]] = {"email": email_of, "phone": phone_of}


class Portal:
    """`now`: the vendors' clock, UTC seconds. `calls`: how often each kind of call came."""

    def __init__(self, contacts: int, now: Callable[[], float]) -> None:
        self._size, self._now = contacts, now
        self._held: dict[str, dict[int, str]] = {name: {} for name in FIELDS}
        self._history: dict[tuple[int, str], list[Json]] = {}
        self._changed: dict[int, float] = {}
        self.calls: Counter[str] = Counter()
        self.values = 0  # that were written where the field was blank, and are right
        self.wrong = 0  # that are not right, or were written over another one
        self.began = self.finished = self.nearly = 0.0  # the first search, the last write, nine tenths of the writes

    def answer(self, method: str, path: str, body: Json) -> tuple[int, Json]:
        """One call of the API."""
        _, _, what = path.partition("/contacts/")
        match method, what or path:
            case "POST", "search":
                return self._counted("search", self._search(body))
            case "POST", "batch/read":
                return self._counted("read", self._read(body))
            case "POST", "batch/update":
                return self._counted("update", self._update(body))
            case "POST", "/crm/v3/objects/companies/batch/read":
                return self._counted("companies", {"results": [_company(one["id"]) for one in body["inputs"]]})
            case "GET", "/crm/v3/properties/contacts":
                return 200, {"results": [{"name": one, "type": "string", "label": one} for one in _NAMES]}
            case "GET", "/account-info/v3/details":
                return 200, {"portalId": 7, "timeZone": "UTC", "utcOffsetMilliseconds": 0}
        return 404, {"status": "error", "message": "the bench has no such call"}

    def _counted(self, kind: str, answer: Json) -> tuple[int, Json]:
        self.calls[kind] += 1
        return 200, answer

    def _search(self, body: Json) -> Json:
        groups = [[_test(one, self) for one in group["filters"]] for group in body["filterGroups"]]
        page, limit, start = list[int](), body["limit"], _first(body["filterGroups"])
        if limit > 1 and self._size:
            self.began = self.began or time.time()
        for number in range(start, self._size + 1):
            if any(all(holds(number) for holds in group) for group in groups):
                page.append(number)
                if len(page) > limit:
                    break
        more = {"paging": {"next": {"after": str(limit)}}} if len(page) > limit else {}
        found = [self._record(number, body["properties"]) for number in page[:limit]]
        return {"total": len(page), "results": found, **more}

    def _read(self, body: Json) -> Json:
        names, history = body["properties"], body.get("propertiesWithHistory", ())
        numbers = [int(one["id"]) for one in body["inputs"]]
        return {"status": "COMPLETE", "results": [self._record(n, names, history) for n in numbers if n <= self._size]}

    def _update(self, body: Json) -> Json:
        now = self._now()
        stamp, results = _iso(now), []
        for one in body["inputs"]:
            number = int(one["id"])
            for name, value in one["properties"].items():
                self._write(number, name, value, stamp)
            self._changed[number] = now
            results.append({"id": one["id"], "properties": {**one["properties"], "lastmodifieddate": stamp}})
        if results:
            self.finished = time.time()
            if not self.nearly and self.values >= 0.9 * len(FIELDS) * self._size:
                self.nearly = self.finished
        return {"status": "COMPLETE", "results": results}

    def _write(self, number: int, name: str, value: str, stamp: str) -> None:
        held = self._held[name]
        right = value == TRUTH[name](number) and number not in held
        self.values += right
        self.wrong += not right
        held[number] = value
        entry = {"value": value, "timestamp": stamp, "sourceType": "INTEGRATION", "sourceId": "7"}
        self._history.setdefault((number, name), []).insert(0, entry)

    def property(self, number: int, name: str) -> str | None:
        """What a contact holds under a name."""
        if name in self._held:
            return self._held[name].get(number)
        match name:
            case "firstname":
                return f"Nora{number}"
            case "lastname":
                return f"Lind{number}"
            case "hs_linkedin_url":
                return f"https://www.linkedin.com/in/nora-lind-{number}"
            case "associatedcompanyid":
                return str(5_000 + number % EMPLOYERS)
            case "country":
                return "France"
            case "lastmodifieddate":
                return _iso(self.changed_at(number))
        return None

    def changed_at(self, number: int) -> float:
        return self._changed.get(number, _MADE_AT + number)

    def _record(self, number: int, names: Iterable[str], history: Iterable[str] = ()) -> Json:
        stamp = _iso(self.changed_at(number))
        held = {name: self.property(number, name) for name in names}
        held |= {"hs_object_id": str(number), "lastmodifieddate": stamp}
        record = {"id": str(number), "properties": held, "updatedAt": stamp, "archived": False}
        known = {name: self._history.get((number, name), []) for name in history}
        return {**record, "propertiesWithHistory": known} if known else record


def _company(key: str) -> Json:
    number = int(key) - 5_000
    return {"id": key, "properties": {"name": f"Firm {number}", "domain": f"firm{number}.example", "country": "France"}}


def _first(groups: Iterable[Json]) -> int:
    """The least id that any group can hold, so that a page costs what it holds."""
    bounds = [[int(f["value"]) for f in group["filters"] if f["propertyName"] == "hs_object_id"] for group in groups]
    return max(1, min((max(bound, default=0) for bound in bounds), default=0))


def _test(one: Json, portal: Portal) -> Callable[[int], bool]:
    """A filter of a search, for the contact of a number."""
    name, value = one["propertyName"], str(one.get("value"))
    match one["operator"]:
        case "NOT_HAS_PROPERTY":
            return lambda number: portal.property(number, name) is None
        case "HAS_PROPERTY":
            return lambda number: portal.property(number, name) is not None
        case "GT" if name == "hs_object_id":
            return lambda number: number > int(value)
        case "GTE" if name == "lastmodifieddate":
            return lambda number: portal.changed_at(number) * 1000 >= int(value)
        case "IN":
            return lambda number: (
                (str(number) if name == "hs_object_id" else portal.property(number, name)) in one["values"]
            )
        case "EQ":
            return lambda number: portal.property(number, name) == value
    raise ValueError(f"the bench knows no filter {one}")


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
