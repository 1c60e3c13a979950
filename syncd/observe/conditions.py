"""What is wrong now, or wants a person: derived from one look at the ledger and the process. Pure.

`status`, the operator's page, `/readyz`, metrics, the log and alerts all show these and find out nothing themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from syncd import codes
from syncd.config import ConditionKind
from syncd.ledger import budgets, reconciliation, reports
from syncd.ledger.pauses import PauseKind
from syncd.ledger.reviews import APPROVAL
from syncd.ledger.states import Reason
from syncd.pipeline import canary
from syncd.pipeline.gate import REFUSALS, UNTRIED

Status = Mapping[str, Any]

OTHERS = {  # what stands among the connections and is none
    canary.NAME: (ConditionKind.GATE, "is halted"),
    reports.CHANGED_CONFIGURATION: (ConditionKind.CONFIGURATION, "is not in use"),
}

JUDGED_AT_LEAST, CONTRADICTED = 50, 0.2  # answers of a provider, and the part of them that is about somebody else
MISSING_AT_LEAST, MISSING = 20, 0.2  # contacts that a whole pull did not bring, and the part of those who were expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that is so now: `who` `what`, because `why`. `detail` tells two of one kind apart."""

    kind: ConditionKind
    who: str  # a connection, a sync, a stage, or "syncd"
    what: str
    why: str
    cure: str = ""
    detail: str = ""
    special: str = ""  # its code, where its kind says too little
    since: float | None = None  # UTC seconds
    until: float | None = None  # UTC seconds at which it ends by itself at the latest, where that is known
    blocks: bool = True  # something does not go on until it ends
    starting: bool = False  # only because syncd was started a moment ago

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same one the next time."""
        return self.kind.value, self.who, self.detail

    @property
    def code(self) -> str:
        """Its entry in the list of errors."""
        return self.special or self.kind.value.replace("_", "-")

    def as_json(self) -> dict[str, Any]:
        """Plain data for scripts."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "special"}
        return told | {"code": self.code, "see": codes.see(self.code)}


def derive(status: Status) -> list[Condition]:
    """Everything that is so by this status (see `status.look`), what blocks work first."""
    found = [condition for source in _SOURCES for condition in source(status)]
    return sorted(found, key=lambda one: not one.blocks)


def _halted(status: Status) -> Iterator[Condition]:
    for name, one in status["connections"].items():
        if one["trouble"]:
            kind, what = OTHERS.get(name, (ConditionKind.HALTED, "is halted"))
            yield Condition(
                kind=kind,
                who=name,
                what=what,
                why=one["message"],
                cure=one["cure"],
                special=codes.of_trouble(one["trouble"]) if kind is not ConditionKind.CONFIGURATION else "",
                since=one["since"],
            )


def _gate(status: Status) -> Iterator[Condition]:
    """Each reason once: one that a halted connection gives already is left out."""
    told = {one["message"] for one in status["connections"].values() if one["trouble"]}
    kinds = {"disk": ConditionKind.DISK, REFUSALS: ConditionKind.REFUSALS}
    for one in status["gate"]:
        if one["why"] not in told:
            yield Condition(
                kind=kinds.get(one["watch"], ConditionKind.GATE),
                who=one["sync"] or "syncd",
                what="buys nothing",
                why=one["why"],
                cure=one["cure"],
                detail=one["watch"],
                special=codes.of_watch(one["watch"]),
                since=one["since"],
                starting=one["why"] == UNTRIED.get(one["watch"]),
            )


def _budgets(status: Status) -> Iterator[Condition]:
    for one in status.get("budgets", ()):
        if one["reached"]:
            yield Condition(
                kind=ConditionKind.BUDGET,
                who=one["budget"],
                what="is used up" if not one["left"] else "has too little left for the next call",
                why=budgets.in_words(one),
                cure="Nothing to do, or raise this budget.",
                detail=one["window"] if one["fits"] else f"{one['window']}_too_small",
                since=one["reached_at"],
                until=one["goes_on_at"],
            )


def _breakers(status: Status) -> Iterator[Condition]:
    for one in status["breakers"]:
        if one["why"]:
            yield Condition(
                kind=ConditionKind.BREAKER,
                who=one["connection"],
                what="is not asked for now",
                why=f"nobody can say what became of a paid call: {one['why']}",
                cure="Nothing to do: a single call finds out whether it is over. "
                "`syncd in-doubt list` shows what is at risk.",
                since=one["opened_at"],
            )


def _credits(status: Status) -> Iterator[Condition]:
    for one in status["breakers"]:
        halted = status["connections"].get(one["connection"], {}).get("trouble")
        if one["short"] is not None and not halted:
            left = "" if one["balance"] is None else f", and has {Decimal(one['balance']):f}"
            price = f"what costs {Decimal(one['short']):f} credits or more was refused for want of credits{left}"
            yield Condition(
                kind=ConditionKind.CREDITS,
                who=one["connection"],
                what="is short of credits",
                why=f"{price}; what is cheaper goes on",
                cure="Buy credits there; it goes on by itself within minutes.",
                since=one["short_at"],
            )


def _symptoms(status: Status) -> Iterator[Condition]:
    """What the process sees of itself. A vendor that is halted or cut off already is not told once more."""
    known = {name for name, one in status["connections"].items() if one["trouble"]}
    known |= {one["connection"] for one in status["breakers"] if one["why"]}
    what = {
        ConditionKind.LATE: "does not go on",
        ConditionKind.UNREACHABLE: "does not answer",
        ConditionKind.CONFIGURATION: "was not taken",
        ConditionKind.PROVENANCE: "takes values without their provenance",
    }
    for one in status["symptoms"]:
        kind = ConditionKind(one["kind"])
        if kind is not ConditionKind.UNREACHABLE or one["who"] not in known:
            yield Condition(
                kind=kind,
                who=one["who"],
                what=what.get(kind, "is in trouble"),
                why=one["why"],
                cure=one["cure"],
                since=one["since"],
                blocks=kind not in {ConditionKind.CONFIGURATION, ConditionKind.PROVENANCE},
            )


def _refusals(status: Status) -> Iterator[Condition]:
    """Some values were refused, not yet so many that nothing is bought any more (that the gate tells)."""
    shut = {one["sync"] for one in status["gate"] if one["watch"] == REFUSALS}
    for one in status["refusals"]:
        if one["sync"] not in shut:
            yield Condition(
                kind=ConditionKind.REFUSALS,
                who=one["sync"],
                what="could not write",
                why=f"its CRM has refused {one['refused']} values in a row: {one['words']}",
                cure="See whether a rule, a lock or a missing right is behind it; the values are kept and tried again.",
                blocks=False,
            )


def _doubts(status: Status) -> Iterator[Condition]:
    for name, one in status["in_doubt"].items():
        yield Condition(
            kind=ConditionKind.IN_DOUBT,
            who=name,
            what="has calls in doubt",
            why=f"nobody can say whether {one['calls']} paid call{'' if one['calls'] == 1 else 's'} arrived; "
            f"credits at risk: {one['credits']:g}",
            cure="`syncd in-doubt list` shows them. A late answer settles them, or the connection's in_doubt.policy.",
            since=one["since"],
            blocks=False,
        )


def _reviews(status: Status) -> Iterator[Condition]:
    if status["reviews"]["waiting"]:
        yield Condition(
            kind=ConditionKind.REVIEW,
            who="syncd",
            what="waits for you",
            why=why_they_wait(status["reviews"]["why"]),
            cure="Run: syncd review list",
            since=status["reviews"]["since"],
            blocks=False,
        )


def why_they_wait(why: Mapping[str, int]) -> str:
    """How many values wait for a person, by what is asked of them. `why`: as in the summary of the ledger."""
    approvals, more = why.get(APPROVAL, 0), why.get(reports.MORE, 0)
    doubtful = sum(why.values()) - approvals - more
    parts = (
        (approvals, "values want a person's approval"),
        (doubtful, "values may be somebody else's: a person decides"),
        (more, "more wait"),
    )
    return ", ".join(f"{n} {words}" for n, words in parts if n)


def _balances(status: Status) -> Iterator[Condition]:
    for name, one in status["reconciliation"].items():
        if one["difference"]:
            yield Condition(
                kind=ConditionKind.BALANCE,
                who=name,
                what="has a balance that the charges do not explain",
                why=reconciliation.in_words(one),
                cure="See whether others use this account; `syncd reconcile` shows what was compared.",
                blocks=False,
            )


def _floors(status: Status) -> Iterator[Condition]:
    """Told before it is reached, too: where the balance is low already, and nothing is to be asked."""
    for one in status.get("floors", ()):
        left = one["left_at_worst"]
        if left is not None and (one["reached"] or left < one["floor"]):
            next_call = f", and the next call may cost {one['needs']:g}" if one["needs"] else ""
            yield Condition(
                kind=ConditionKind.FLOOR,
                who=one["connection"],
                what="is not asked for now" if one["reached"] else "has few credits left",
                why=f"{left:g} credits are left at worst, and its floor is {one['floor']:g}{next_call}",
                cure="Buy credits there, or set another floor; it goes on by itself within minutes.",
                since=one["reached_at"],
                blocks=one["reached"],
            )


def _pauses(status: Status) -> Iterator[Condition]:
    for one in status.get("pauses", ()):
        what = "is not asked for now" if one["kind"] == PauseKind.PROVIDER else "buys and writes nothing"
        yield Condition(
            kind=ConditionKind.PAUSED,
            who=one["name"] or "syncd",
            what=f"is paused, and {what}",
            why=one["why"],
            cure=f"Run: syncd resume {one['name'] or '--all'}",
            detail=one["kind"],
            since=one["since"],
            until=one["until"],
            blocks=False,
        )


def _outdated(status: Status) -> Iterator[Condition]:
    found: Counter[str] = Counter()
    for row in status.get("jobs", ()):
        found[row["sync"]] += row["n"] if row["reason"] == Reason.OUTDATED else 0
    for name, n in (+found).items():
        yield Condition(
            kind=ConditionKind.OUTDATED,
            who=name,
            what="has values that are out of date",
            why=f"{n} that syncd wrote were not found like that any more: another value, or another employer",
            cure="Run: syncd contacts reason:outdated",
            blocks=False,
        )


def _contradictions(status: Status) -> Iterator[Condition]:
    for name, one in status.get("answers", {}).items():
        if one["judged"] >= JUDGED_AT_LEAST and one["other"] > CONTRADICTED * one["judged"]:
            yield Condition(
                kind=ConditionKind.CONTRADICTIONS,
                who=name,
                what="answers about other people",
                why=f"{one['other']} of its last {one['judged']} answers contradict what is known of the contact",
                cure="None of them is written. `syncd show` says what contradicts; other providers may do better.",
                blocks=False,
            )


def _sweeps(status: Status) -> Iterator[Condition]:
    for one in status["sweeps"]:
        expected = one["brought"] + one["missing"]
        if one["missing"] >= MISSING_AT_LEAST and one["missing"] > MISSING * expected:
            yield Condition(
                kind=ConditionKind.SWEEP,
                who=one["name"],
                what="misses contacts",
                why=f"the last whole pull did not bring {one['missing']} of {expected} contacts that are worked on",
                cure="See whether its filter, a list or a right was changed in the CRM; nothing is bought for them.",
                since=one["swept_at"],
                blocks=False,
            )


_SOURCES = (
    _symptoms,
    _halted,
    _gate,
    _pauses,
    _budgets,
    _credits,
    _breakers,
    _refusals,
    _doubts,
    _reviews,
    _balances,
    _floors,
    _outdated,
    _contradictions,
    _sweeps,
)
