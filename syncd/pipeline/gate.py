"""The gate: may we spend? Each watch shuts it for its own reason and opens it again; one reason is enough.

It stands shut from the start, for every watch, until that watch has looked. Dispatch asks it before each
call; it stops buying and nothing else: what was bought is taken, verified and written as ever.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

WRITE_RIGHT, BACKLOG = "write_right", "backlog"  # the watches that shut it for one sync at a time
REFUSALS = "refusals"  # another one: shut by refused writes alone
SHARED = frozenset({WRITE_RIGHT, BACKLOG, REFUSALS, "restored"})  # what they find concerns every process
UNTRIED = {
    "callbacks": "the way of callbacks has not been tried yet",
    "disk": "the room on the disk has not been looked at yet",
    "clock": "the clock has not been looked at yet",
    "integrity": "the ledger is still being checked for damage",
    "inbox": "what came in before syncd was started has not been read yet",
    "restored": "it has not been looked whether the ledger is up to date",
    WRITE_RIGHT: "its CRM has not been seen to take writes yet",
    BACKLOG: "it has not been looked what waits for its CRM",
}
STEP = 60.0  # seconds by which the wall clock may deviate from the monotonic one
_MOMENT = "Wait a moment: this is looked at as soon as syncd runs."
_FIGURES = re.compile(r"\d+")

Key = tuple[str, str]  # a watch and a sync, "" for all of them


@dataclass(frozen=True, slots=True)
class Shut:
    """One reason, in a sentence, and what to do about it. `passing`: nothing; it ends by itself."""

    why: str
    cure: str = ""
    passing: bool = False
    since: float | None = None  # UTC seconds; set when it is first told


def _untried() -> dict[Key, Shut]:
    return {(watch, ""): Shut(why, _MOMENT, passing=True) for watch, why in UNTRIED.items()}


@dataclass(slots=True)
class Gate:
    """`Gate({})` stands open: for tests."""

    reasons: dict[Key, Shut] = field(default_factory=_untried)
    seen: dict[str, float] = field(default_factory=dict)  # by sync: when (monotonic) its CRM last would take writes
    look_at: dict[str, float] = field(default_factory=dict)  # by CRM: when (monotonic) to look whether it takes writes
    spared: set[str] = field(default_factory=set)  # CRMs of which the last look was spared, for writes were confirmed
    kept: list[dict[str, object]] | None = None  # what the ledger was last told, and when (monotonic)
    kept_at: float = 0.0
    offset: float | None = None  # the wall clock less the monotonic one, while the watch believes the clock
    leapt: float = 0.0  # seconds by which the clock was set forward in all: addresses are good for longer
    told: dict[Key, str] = field(default_factory=dict)  # the gist of what the log was told; "" where nothing
    looked: dict[Key, float | None] = field(default_factory=dict)  # what concerns all, and was looked at (UTC seconds)

    def __post_init__(self) -> None:
        self.told.update(dict.fromkeys(self.reasons, ""))

    def expect(self, syncs: Iterable[str]) -> None:
        """From now on each sync waits for its own watches, and for nobody else's."""
        names = list(syncs)
        for watch in (WRITE_RIGHT, BACKLOG):
            if (common := self.reasons.pop((watch, ""), None)) is not None:
                del self.told[watch, ""]
                self.reasons.update({(watch, name): common for name in names})
                self.told.update({(watch, name): "" for name in names})

    def follow(self, syncs: Iterable[str], *, changed: Mapping[str, str]) -> None:
        """Another configuration has these syncs. Of those that changed (with their CRM) it is not known any more
        whether values can be written: shut, until each of their watches has looked again."""
        names = {*syncs, ""}
        for key in [key for key in self.reasons if key[1] not in names]:
            del self.reasons[key]
            self.told.pop(key, None)
        for name, crm in changed.items():
            self.seen.pop(name, None)
            self.look_at.pop(crm, None)
            for watch in (WRITE_RIGHT, BACKLOG):
                self.forget(watch, name)

    def forget(self, watch: str, sync: str = "") -> None:
        """Shut until this watch has looked again."""
        self.reasons[watch, sync] = Shut(UNTRIED[watch], _MOMENT, passing=True)

    @property
    def shut(self) -> str:
        """Why nothing at all is bought now, in a sentence each, or ""."""
        return "; ".join(one.why for (_, sync), one in self.reasons.items() if not sync)

    @property
    def hold(self) -> bool:
        """The clock is not believed: nothing may expire either."""
        return ("clock", "") in self.reasons

    def stepped(self, now: float, monotonic: float) -> bool:
        """Was the clock set since the watch looked at it? It does so every few seconds only."""
        return self.offset is not None and abs(now - monotonic - self.offset) > STEP

    def why(self, sync: str) -> str:
        """Why nothing is bought for a sync now, in a sentence each, or ""."""
        return "; ".join(one.why for (_, whose), one in self.reasons.items() if whose in ("", sync))

    def waits_for_somebody(self, sync: str) -> bool:
        """Is there a reason that does not pass by itself?"""
        return any(not one.passing for (_, whose), one in self.reasons.items() if whose in ("", sync))

    def is_shut(self, watch: str, sync: str = "") -> bool:
        """Does this watch keep it shut?"""
        return (watch, sync) in self.reasons

    def set(self, watch: str, why: str, cure: str = "", *, sync: str = "", passing: bool = False) -> bool:
        """Shut for a reason, or open with ""; True if that changed anything."""
        before = self.reasons.pop((watch, sync), None)
        if why:
            since = None if before is None else before.since
            self.reasons[watch, sync] = Shut(why, cure, passing=passing, since=since)
        if watch in SHARED:
            self.looked[watch, sync] = None  # until the ledger was told
        return (before.why if before else "") != why

    def rows(self) -> list[dict[str, object]]:
        """Every reason, for those who show it."""
        return [
            {"watch": watch, "sync": sync, "why": one.why, "cure": one.cure, "since": one.since}
            for (watch, sync), one in sorted(self.reasons.items())
        ]

    def tell_anew(self) -> None:
        """The ledger has forgotten what it was told."""
        self.kept = None
        self.looked.update(dict.fromkeys((key for key in self.reasons if key[0] in SHARED), None))

    def split(self, looked: Collection[Key]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        """The reasons of this process, and those for every process that the looks at these have found. (That this one
        has not looked yet concerns nobody else.)"""
        shared = {key for key, one in self.reasons.items() if key[0] in SHARED and one.why != UNTRIED.get(key[0])}
        rows = dict(zip(sorted(self.reasons), self.rows(), strict=True))
        own = [row for key, row in rows.items() if key not in shared]
        return own, [row for key, row in rows.items() if key in shared and key in looked]

    def news(self, now: float) -> tuple[list[Key], dict[Key, bool]]:
        """What was shut since the last time (a sentence that only counts on is no news), and what was opened:
        had it been told?"""
        self.reasons = {k: replace(o, since=now) if o.since is None else o for k, o in self.reasons.items()}
        gists = {key: _gist(key, one) for key, one in self.reasons.items()}
        shut = [key for key, gist in gists.items() if gist and self.told.get(key) != gist]
        opened = {key: bool(gist) for key, gist in self.told.items() if key not in gists}
        self.told = gists
        return shut, opened


def _gist(key: Key, one: Shut) -> str:
    if one.why == UNTRIED.get(key[0]):
        return ""
    return "passing" if one.passing else _FIGURES.sub("", one.why)
