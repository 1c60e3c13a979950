"""Does a sync's CRM take what is written? The last confirmed write, and how many refusals there were since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.contract.jsontext import dump

from .store import Tx
from .write_limits import WriteLimits, canary_left

DAY = 86_400.0
LATELY = 7 * DAY  # for so long a confirmed write speaks for the next ones
DOUBTFUL = DAY  # for so long the answer to a call in doubt may still come
IN_A_ROW = 3  # values that are refused without a confirmed write between them, before it is the rule's fault
FIRST_PROBE, LONGEST_PROBE = 300.0, 1800.0  # seconds between writes that find out whether it is over


class NotYet(Exception):
    """Enough is on its way for a sync of which no write was confirmed; nothing was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """How a sync's writes have gone lately. Times are UTC seconds."""

    policy: str = ""  # a digest of what the sync wrote when one was confirmed
    confirmed_at: float = 0.0
    refused: int = 0  # values that were refused since
    words: str = ""  # the CRM's, for the last one
    probes: int = 0
    probe_at: float = 0.0  # when a single write finds out whether it is over

    @property
    def is_shut(self) -> bool:
        """Are writes refused, whatever is written?"""
        return self.refused >= IN_A_ROW

    def is_good(self, policy: str, now: float) -> bool:
        """Was a write of this policy confirmed lately, and none refused since?"""
        return self.policy == policy and not self.refused and self.confirmed_at > now - LATELY

    def may_probe(self, now: float) -> bool:
        """Is it time for a single write? A clock that was set back makes nobody wait for longer than usual."""
        return now >= self.probe_at or self.probe_at - now > LONGEST_PROBE


def load(tx: Tx, sync: str) -> Confirmation:
    """How a sync's writes have gone lately."""
    row = tx.row("sync_state", sync=sync)
    if row is None:
        return Confirmation()
    return Confirmation(**{key: row[key] for key in Confirmation.__dataclass_fields__})


def allowance(tx: Tx, sync: str, policy: str, *, limit: int, now: float, canary: int | None = None) -> int | None:
    """For how many more contacts credits may be spent, None for any number.

    `limit` at most (0: any number) are on their way while the CRM has not confirmed a write of this `policy` lately, or
    has refused one since; those whose purchase is in doubt count for a day. While it refuses whatever is written, none,
    as long as there is a value with which it can be tried whether that is over; else one. Whoever was not found makes
    room for the next one. Until somebody has looked at a `canary` of so many writes, no more are on their way than it
    still has.
    """
    left = _before_write(tx, sync, policy, limit=limit, now=now)
    tried = canary_left(tx, sync, WriteLimits(canary=canary, policy=policy))
    if tried is None:
        return left
    room = max(0, tried - int(tx.value("contacts_on_their_way", sync=sync)))
    return room if left is None else min(left, room)


def _before_write(tx: Tx, sync: str, policy: str, *, limit: int, now: float) -> int | None:
    state = load(tx, sync)
    if state.is_shut:
        return 0 if can_be_tried(tx, sync) else 1
    if not limit or state.is_good(policy, now):
        return None
    return max(0, limit - int(tx.value("contacts_perhaps_bought_for", sync=sync, doubtful_since=now - DOUBTFUL)))


def require(
    tx: Tx, sync: str, policy: str, jobs: Sequence[int], *, limit: int, now: float, canary: int | None = None
) -> None:
    """Raises NotYet where `allowance` does not reach for the contacts of these jobs: another provider's call may have
    taken it since they were chosen. Who is on their way with another field is no further contact."""
    left = allowance(tx, sync, policy, limit=limit, now=now, canary=canary)
    wanted = {"sync": sync, "jobs": dump(list(jobs)), "doubtful_since": now - DOUBTFUL}
    if left is not None and tx.value("contacts_among", **wanted) > left:
        raise NotYet


def can_be_tried(tx: Tx, sync: str) -> bool:
    """Is there, or may there soon be, a value to write?"""
    return bool(tx.value("contacts_on_their_way", sync=sync))


def confirm(tx: Tx, sync: str, policy: str, *, now: float) -> bool:
    """A write was confirmed: what was refused before is due. Returns whether there was anything of that kind."""
    refused = load(tx, sync).refused
    tx.run("sync_confirmed", sync=sync, policy=policy, now=now)
    if refused:
        tx.run("writes_due", sync=sync, now=now)
    return refused > 0


def refuse(tx: Tx, sync: str, words: str, *, first: bool, now: float) -> None:
    """A value was refused for a reason that is not its own. `first`: this one was not refused before."""
    before = load(tx, sync)
    probes = before.probes + 1 if before.is_shut else 0
    tx.run(
        "sync_refused",
        sync=sync,
        refused=before.refused + (first or before.refused == 0),
        words=words,
        probes=probes,
        probe_at=now + min(FIRST_PROBE * 2.0**probes, LONGEST_PROBE),
    )


def is_under_way(tx: Tx, sync: str) -> bool:
    """May an answer come soon, or be accepted?"""
    return tx.row("is_under_way", sync=sync) is not None


def may_bring_more(tx: Tx, sync: str) -> bool:
    """Is there anything, under way or still to be asked or decided on, from which a value to write may come soon?"""
    return tx.row("may_bring_more", sync=sync) is not None


def postpone_probe(tx: Tx, sync: str, seen: float, *, now: float) -> bool:
    """A single write is tried now; should it say nothing of the rule, another one finds out a little later. `seen`: the
    moment of the next try as it was looked up; False where another process tries one by now."""
    return tx.run("sync_probe_at", sync=sync, seen=seen, probe_at=now + FIRST_PROBE / 5) == 1
