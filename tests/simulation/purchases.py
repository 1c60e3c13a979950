"""What may be bought twice, and why: I2, by contact, by question and by person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from syncd.config.sections import InDoubtPolicy

from .oneness import Oneness
from .timeline import DAY
from .vendor import Purchase
from .wire import LATEST

if TYPE_CHECKING:
    from .world import World

READ = 10.0  # seconds in which an answer that came is read: until then nobody knows what it says


def nothing_paid_twice(world: World) -> None:
    """I2: a field of a contact, a question, and a field of a person are bought once each."""
    bought = [p for vendor in world.vendors.values() for p in vendor.purchases if not p.skipped]
    for same in _grouped(bought, lambda p: (p.vendor, p.ref, p.field)):
        _paid_once(world, same)
    for same in _grouped(bought, lambda p: (p.vendor, p.field, p.asked)):
        for first, second in pairwise(same):
            if not (
                _passes(world, first, second) or _may_be_resent(world, first, second) or _erased(world, first, second)
            ):
                _violated(world, first, second, "the identical question was asked twice")
    oneness = Oneness(world)
    for same in _grouped(bought, lambda p: (p.vendor, p.field, None if p.about is None else p.about.key)):
        for first, second in combinations(same, 2):
            if first.ref != second.ref and oneness.one(first.ref, second.ref) and not _news(world, first, second):
                _violated(world, first, second, "one person was bought twice")


def _grouped(bought: Iterable[Purchase], key: Callable[[Purchase], Hashable]) -> Iterable[list[Purchase]]:
    groups: dict[Hashable, list[Purchase]] = defaultdict(list)
    for purchase in bought:
        groups[key(purchase)].append(purchase)
    return [sorted(group, key=lambda p: p.wall) for group in groups.values()]


def _paid_once(world: World, in_order: list[Purchase]) -> None:
    resent = False  # the first of a pair was itself the second try
    for first, second in pairwise(in_order):
        if _passes(world, first, second) or _another_way(world, first, second):
            resent = False
        elif _resent(world, first, second) and not resent:
            resent = True
        else:
            _violated(world, first, second, "a field was bought twice")


def _passes(world: World, first: Purchase, second: Purchase) -> bool:
    """Is it a new round, or was the first one in vain by the provider's own word?"""
    crm, configuration = second.ref.partition("/")[0], world.configuration
    # It was decided while the clock was ahead; and the first one may have been carried out a while after its intent.
    apart = _apart(first, second) + second.ahead + LATEST
    counts = configuration.shortest(crm, found=True)
    if not first.billed:  # nothing, or nothing of use
        counts = min(counts, configuration.shortest(crm, found=False))
    return first.failed or apart >= counts


def _apart(first: Purchase, second: Purchase) -> float:
    return max(second.wall - first.wall, second.at - first.at)  # its clock may have been put right in between


def _another_way(world: World, first: Purchase, second: Purchase) -> bool:
    """Another question that costs nothing as long as nothing is found, or one about somebody else by now."""
    crm, record = world.record(second.ref)
    renamed = any(at <= second.at for at in crm.changed_hands(record))  # whenever a pull has told of it
    return first.asked != second.asked and (first.billed == 0 or renamed)


def _resent(world: World, first: Purchase, second: Purchase) -> bool:
    return first.ref == second.ref and _may_be_resent(world, first, second)


def _erased(world: World, first: Purchase, second: Purchase) -> bool:
    """Was all that is known of the first one's contact erased before the second? Whoever was asked about while the
    record was another one's is known by nothing then; the erased person themselves must not be asked about (I10)."""
    return first.ref in world.rights.erased and world.rights.left[first.ref] <= second.at


def _may_be_resent(world: World, first: Purchase, second: Purchase) -> bool:
    """Does the operator let be asked once more what was in doubt for so long, for whichever record of the person?"""
    connection = world.configuration.now.connections[first.vendor]
    policy, hold = connection.in_doubt_policy, connection.in_doubt_hold
    return policy is InDoubtPolicy.RESEND_ONCE and _apart(first, second) + LATEST >= hold


def _news(world: World, first: Purchase, second: Purchase) -> bool:
    """May the same person be asked about elsewhere: was the first one never answered, or was less told then?"""
    spoilt = first.useless or first.submission in world.vendors[first.vendor].tampered
    more = first.billed == 0 and not second.asked <= first.asked
    return spoilt or more or not _heard(first, second) or _passes(world, first, second)


def _heard(first: Purchase, second: Purchase) -> bool:
    """Had the answer come, and was it read, before the second purchase?"""
    return first.told is not None and first.told + READ <= second.at


def _violated(world: World, first: Purchase, second: Purchase, what: str) -> None:
    when = f"{first.at / DAY:.3f} and {second.at / DAY:.3f}"
    whom = f"{first.ref} / {second.ref} {first.field} at {first.vendor}"
    world.violated("I2", f"{what}: {whom}, {first.submission[:6]} and {second.submission[:6]}, day {when}")
