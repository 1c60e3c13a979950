"""Stopping a sync, a provider or everything for a while."""

from __future__ import annotations

from syncd import filters
from syncd.config import Port, Settings
from syncd.config.scalars import seconds
from syncd.ledger.pauses import PauseKind

BY_HAND = "paused by hand"  # the reason of whoever gives none


def which(settings: Settings, name: str) -> tuple[PauseKind, str]:
    """What is meant by a name; "" is everything. Raises ValueError with what there is."""
    if not name:
        return PauseKind.ALL, ""
    syncs = [sync.name for sync in settings.syncs]
    providers = [one.name for one in settings.connections.values() if one.port is Port.PROVIDER]
    if name in syncs:
        return PauseKind.SYNC, name
    if name in providers:
        return PauseKind.PROVIDER, name
    known = ", ".join([*syncs, *providers])
    raise ValueError(f"there is no sync and no provider called {name!r}; choose one of: {known}")


def end(until: str, now: float) -> float:
    """`2h` from now on, or a moment that lies ahead; UTC seconds. Raises ValueError."""
    try:
        return now + seconds(until)
    except ValueError:
        pass
    try:
        moment = filters.moment(until, now)
    except ValueError as error:
        raise ValueError(str(error).replace("two hours ago", "two hours from now")) from None
    if moment <= now:
        raise ValueError(f"{until} is over")
    return moment
