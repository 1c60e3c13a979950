"""Asking about certain contacts now, before everybody else: which sync does it, and the marks that a command leaves."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.config import Sync
from syncd.contract.model import ContactRef

MOST = 100  # contacts at once


def sync_for(syncs: Sequence[Sync], refs: Sequence[ContactRef], wanted: str | None = None) -> Sync:
    """The sync that looks after all of these; raises ValueError where there is none."""
    if not 0 < len(refs) <= MOST:
        raise ValueError(f"contacts must be a list of 1 to {MOST}")
    places = {(ref.connection, ref.object) for ref in refs}
    fit = [one for one in syncs if places == {(one.crm, one.object)} and wanted in (None, one.name)]
    active = [one for one in fit if not one.paused]
    if not active:
        which = "no sync" if wanted is None else f"no sync {wanted!r}"
        raise ValueError(f"{which} looks after all of these" + (", or it is paused" if fit else ""))
    return active[0]
