"""Rights: has the CRM been seen, lately, to take writes to what a sync would write? Nothing is bought before.

A look answers for ten minutes and is believed for thirty (`watch.GOOD_FOR`): an outage of some minutes stops
nobody. It costs a handful of the CRM's calls, 144 times a day at the most; ARCHITECTURE.md has the figures. Where
writes were confirmed in the meantime, every second look is spared: nothing shows the right to write better.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from syncd.config import ConditionKind, Sync
from syncd.contract.errors import ConnectorError, Halt, Trouble
from syncd.contract.model import Finding, Level
from syncd.ledger import confirmations, connections

from .gate import WRITE_RIGHT
from .parts import Parts

LOOK = 600.0  # seconds from a good look to the next
REFUSED = 300.0  # seconds from a refusal to the next look
SOON = 60.0  # seconds from a look that failed to the next

log = structlog.get_logger("syncd.rights")


async def run_once(parts: Parts, name: str) -> int:
    """Look at one CRM if it is time; returns for how many syncs it would take writes."""
    syncs = [sync for sync in parts.syncs if sync.crm == name]
    if await parts.ledger.read(connections.trouble, name) is not None:
        await _halted(parts, syncs, name)
        return 0
    if parts.clock.monotonic() < parts.gate.look_at.get(name, float("-inf")):
        return 0
    if name not in parts.gate.spared and await _writes_are_confirmed(parts, syncs):
        parts.gate.spared.add(name)
        waits = [_judge(parts, sync, []) for sync in syncs]
    else:
        parts.gate.spared.discard(name)
        found = await _findings(parts, name, syncs)
        if await _whole_connection(parts, name, syncs, found):
            return 0
        waits = [_judge(parts, sync, errors) for sync, errors in zip(syncs, found, strict=True)]
    parts.gate.look_at[name] = parts.clock.monotonic() + min(waits)
    await parts.publish()
    return waits.count(LOOK)


async def _writes_are_confirmed(parts: Parts, syncs: Sequence[Sync]) -> bool:
    """Did the CRM take what each of these syncs has written since the last look, and nothing was refused?"""
    now = parts.clock.now()
    for sync in syncs:
        state = await parts.ledger.read(confirmations.load, sync.name)
        lately = state.is_good(sync.writing, now) and state.confirmed_at > now - LOOK
        if parts.gate.is_shut(WRITE_RIGHT, sync.name) or not lately:
            return False
    return True


async def _whole_connection(parts: Parts, name: str, syncs: Sequence[Sync], found: Sequence[Sequence[Finding]]) -> bool:
    """Does a finding say that the connection is of no use at all? Then it is halted."""
    for one in (one for errors in found for one in errors):
        if one.trouble is not None:
            await _halt(parts, name, one, one.trouble)
            await _halted(parts, syncs, name)
            return True
    return False


def _judge(parts: Parts, sync: Sync, errors: Sequence[Finding]) -> float:
    """Open or shut the gate for one sync; returns when to look again, in seconds."""
    gate, refused = parts.gate, [one for one in errors if not one.passing]
    if refused:
        why = f"{sync.crm} would not take what is bought: {refused[0].what}"
        gate.set(WRITE_RIGHT, why, refused[0].cure, sync=sync.name)
        gate.seen.pop(sync.name, None)
        return REFUSED
    if not errors:
        gate.set(WRITE_RIGHT, "", sync=sync.name)
        gate.seen[sync.name] = parts.clock.monotonic()
        return LOOK
    log.warning("write_right_unknown", connection=sync.crm, sync=sync.name, why=errors[0].what)
    if gate.is_shut(WRITE_RIGHT, sync.name):
        why = f"{sync.crm} could not be seen to take writes: {errors[0].what}"
        gate.set(WRITE_RIGHT, why, errors[0].cure, sync=sync.name, passing=True)
    return SOON


async def _findings(parts: Parts, name: str, syncs: Sequence[Sync]) -> list[list[Finding]]:
    """The errors that concern each sync. One look for all; if something is wrong, one for each, to tell whose it is."""
    together = await _errors(parts, name, syncs)
    if len(syncs) == 1 or all(one.passing or one.trouble for one in together):
        return [together] * len(syncs)
    return [await _errors(parts, name, [sync]) for sync in syncs]


async def _errors(parts: Parts, name: str, syncs: Sequence[Sync]) -> list[Finding]:
    try:
        found = await parts.crms[name].check([sync.selection for sync in syncs])
    except Halt as error:
        return [Finding(level=Level.ERROR, what=str(error), cure=error.cure, trouble=error.trouble)]
    except ConnectorError as error:
        cure = f"Wait; if it stays so, see what `syncd check` says of {name}."
        return [Finding(level=Level.ERROR, what=str(error), cure=cure, passing=True)]
    _tell_of_provenance(parts, name, [one for one in found if one.at.startswith("provenance.")])
    return [one for one in found if one.level is Level.ERROR]


def _tell_of_provenance(parts: Parts, name: str, missing: Sequence[Finding]) -> None:
    """Values are written without what was to be told of them: said once, and once when it is over."""
    kind, now = ConditionKind.PROVENANCE, "; ".join(one.what for one in missing)
    before = parts.symptoms.told.get((kind.value, name), ("", ""))[0]
    parts.symptoms.set(kind, name, now, missing[0].cure if missing else "")
    if now and now != before:
        log.warning("provenance_missing", connection=name, why=now, cure=missing[0].cure)
    elif before and not now:
        log.info("provenance_complete", connection=name)


async def _halt(parts: Parts, name: str, found: Finding, trouble: Trouble) -> None:
    now = parts.clock.now()
    if await parts.ledger.write(connections.halt, name, trouble, found.what, found.cure, now=now):
        log.error("halted", connection=name, trouble=trouble, why=found.what, cure=found.cure)


async def _halted(parts: Parts, syncs: Sequence[Sync], name: str) -> None:
    """Probe tries it again and rings; then we look at once."""
    parts.gate.look_at.pop(name, None)
    for sync in syncs:
        parts.gate.set(WRITE_RIGHT, f"{name} is halted", f"Mend {name}: what is said of it tells how.", sync=sync.name)
    await parts.publish()
