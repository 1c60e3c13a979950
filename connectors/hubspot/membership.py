"""Whether a contact matches a sync's filters, as far as the text of its properties tells. Pure.

Only what HubSpot documents without exceptions is judged here: comparisons of plain texts, options, numbers and
moments. Words in texts, properties with several options and formatted phone numbers are left to HubSpot's search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .records import Record, prop

Test = Callable[[str], bool]
_OPPOSITE = {"NEQ": "EQ", "NOT_IN": "IN", "NOT_HAS_PROPERTY": "HAS_PROPERTY"}
_ORDER: Mapping[str, Callable[[float, Sequence[float]], bool]] = {
    "EQ": lambda value, wanted: value == wanted[0],
    "IN": lambda value, wanted: value in wanted,
    "LT": lambda value, wanted: value < wanted[0],
    "LTE": lambda value, wanted: value <= wanted[0],
    "GT": lambda value, wanted: value > wanted[0],
    "GTE": lambda value, wanted: value >= wanted[0],
    "BETWEEN": lambda value, wanted: wanted[0] <= value <= wanted[1],
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter that the text of a property decides."""

    name: str
    test: Test


@dataclass(frozen=True, slots=True)
class Conditions:
    """A sync's filters: those that can be judged from a record, and those that only a search can answer."""

    judged: tuple[Condition, ...] = ()
    searched: tuple[dict[str, Any], ...] = ()

    def hold(self, record: Record) -> bool:
        """Does the record meet all that can be judged from it?"""
        return all(one.test(prop(record, one.name)) for one in self.judged)


def conditions(filters: Sequence[dict[str, Any]], catalogue: Mapping[str, Mapping[str, Any]]) -> Conditions:
    """Sort the filters of a search request by who can answer them."""
    tests = [(one, _test(one, catalogue.get(one["propertyName"], {}))) for one in filters]
    return Conditions(
        judged=tuple(Condition(one["propertyName"], test) for one, test in tests if test is not None),
        searched=tuple(one for one, test in tests if test is None),
    )


def _test(one: Mapping[str, Any], definition: Mapping[str, Any]) -> Test | None:
    """What a property's text ("" if unset) has to be; None where only HubSpot can tell."""
    operator = one["operator"]
    if operator == "HAS_PROPERTY":
        return bool
    if operator in _OPPOSITE:  # a record that lacks the property matches as well (HubSpot, "Search the CRM")
        inner = _test({**one, "operator": _OPPOSITE[operator]}, definition)
        return None if inner is None else lambda value: not inner(value)
    wanted = [str(part) for key in ("value", "highValue") if (part := one.get(key)) is not None]
    wanted += [str(part) for part in one.get("values") or ()]
    return _positive(operator, wanted, definition)


def _positive(operator: str, wanted: Sequence[str], definition: Mapping[str, Any]) -> Test | None:
    kind, form = definition.get("type"), definition.get("fieldType")
    if kind in {"number", "date", "datetime"}:
        return _compared(operator, wanted, _number if kind == "number" else _moment)
    if operator not in {"EQ", "IN"} or form in {"checkbox", "phonenumber"}:
        return None
    if kind in {"string", "bool"}:
        texts = {part.lower() for part in wanted}
        return lambda value: value.lower() in texts
    return (lambda value: value in wanted) if kind == "enumeration" else None


def _compared(operator: str, wanted: Sequence[str], read: Callable[[str], float | None]) -> Test | None:
    compare, bounds = _ORDER.get(operator), [read(part) for part in wanted]
    known = [bound for bound in bounds if bound is not None]
    if compare is None or not known or len(known) < len(bounds):
        return None

    def test(value: str) -> bool:
        number = read(value)
        return number is not None and compare(number, known)

    return test


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _moment(text: str) -> float | None:
    """Unix milliseconds of a number of them, of a day (its midnight in UTC) or of an ISO time."""
    if text.lstrip("-").isdigit():
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
