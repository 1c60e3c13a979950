"""Which records are one person, taken all together.

Two records that share a profile or a mailbox are one person, whatever others say; a name at an employer unites
those that it can mean only, and nobody where it could mean two. One profile or mailbox under two names identifies
nobody. The result depends on the records alone, not on the order in which they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from . import evidence
from .evidence import MEDIUM, STRONG, Sameness
from .identity import Identity

MANY = 50  # records under one key: a mailbox or a profile of so many is nobody's, a name at so many is not unravelled


@dataclass(frozen=True, slots=True)
class Record:
    """`id` is the ledger's; `crm` the connection that it stands in."""

    id: int
    crm: str
    identity: Identity


@dataclass(slots=True)
class Grouping:
    """`person`: each record's person, named by the lowest id among its records. `vague`: by record, the profiles
    and mailboxes of it that identify nobody. `namesakes`: records of which another one may be the same person."""

    person: dict[int, int] = field(default_factory=dict)
    vague: dict[int, tuple[str, ...]] = field(default_factory=dict)
    namesakes: set[int] = field(default_factory=set)


def group(records: Sequence[Record]) -> Grouping:
    """Unite what is one person."""
    work = _Union(records)
    for key, ids in work.shared(STRONG).items():
        work.unite_by_strong(key, ids)
    for ids in work.shared(MEDIUM).values():
        work.unite_by_name(ids)
    return work.grouping()


class _Union:
    """Union-find over records; the root is the lowest id."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = {record.id: record for record in records}
        self._parent = {id_: id_ for id_ in self._records}
        self._members: dict[int, list[int]] = {}
        self._vague: dict[int, list[str]] = defaultdict(list)
        self._namesakes: set[int] = set()

    def shared(self, kinds: Iterable[evidence.Evidence]) -> dict[str, list[int]]:
        """The keys that more than one record has."""
        chosen = tuple(kinds)
        first: dict[str, int] = {}
        found: dict[str, list[int]] = {}
        for record in self._records.values():
            identity = self._usable(record) if self._vague else record.identity
            for kind in chosen:
                for key in kind.keys(identity):
                    known = first.setdefault(key, record.id)
                    if known != record.id:
                        found.setdefault(key, [known]).append(record.id)
        return found

    def unite_by_strong(self, key: str, ids: Sequence[int]) -> None:
        if len(ids) > MANY or self._two_names(ids):
            for id_ in ids:
                self._vague[id_].append(key)
            return
        for id_ in ids[1:]:
            self._join(ids[0], id_)

    def unite_by_name(self, ids: Sequence[int]) -> None:
        """All the groups under one name at one employer, if they can be one person only; else none of them."""
        roots = sorted({self._root(id_) for id_ in ids})
        if len(roots) < 2:
            return
        if len(roots) > MANY:
            self._namesakes.update(ids)
            return
        pairs = [(one, other) for i, one in enumerate(roots) for other in roots[i + 1 :]]
        verdicts = {pair: self._compare(*pair) for pair in pairs}
        if all(verdict is Sameness.SAME for verdict in verdicts.values()):
            for root in roots[1:]:
                self._join(roots[0], root)
            return
        for pair, verdict in verdicts.items():
            if verdict is not Sameness.DIFFERENT:
                self._namesakes.update(member for root in pair for member in self._group(root))

    def grouping(self) -> Grouping:
        return Grouping(
            person={id_: self._root(id_) for id_ in self._records},
            vague={id_: tuple(sorted(keys)) for id_, keys in self._vague.items()},
            namesakes=self._namesakes,
        )

    def _compare(self, one: int, other: int) -> Sameness:
        """Of two groups: different if any two of their records are, the same if all that can be said is."""
        found = {
            evidence.compare(self._usable(a), self._usable(b), one_crm=a.crm == b.crm).verdict
            for a in map(self._records.__getitem__, self._group(one))
            for b in map(self._records.__getitem__, self._group(other))
        }
        if Sameness.DIFFERENT in found:
            return Sameness.DIFFERENT
        crms = [{self._records[member].crm for member in self._group(root)} for root in (one, other)]
        return Sameness.UNKNOWN if crms[0] & crms[1] or Sameness.SAME not in found else Sameness.SAME

    def _two_names(self, ids: Sequence[int]) -> bool:
        people = {evidence.name_of(self._records[id_].identity): self._records[id_].identity for id_ in ids}
        several = list(people.values())
        return any(not evidence.one_name(one, other) for i, one in enumerate(several) for other in several[i + 1 :])

    def _usable(self, record: Record) -> Identity:
        vague = self._vague.get(record.id)
        return evidence.usable(record.identity, vague) if vague else record.identity

    def _group(self, root: int) -> list[int]:
        return self._members.get(root, [root])

    def _root(self, id_: int) -> int:
        while self._parent[id_] != id_:
            self._parent[id_] = self._parent[self._parent[id_]]
            id_ = self._parent[id_]
        return id_

    def _join(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        if low != high:
            self._parent[high] = low
            self._members[low] = [*self._group(low), *self._members.pop(high, [high])]
