"""The command that takes back what was written: undo."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd import compose, filters
from syncd.config import Settings
from syncd.contract.errors import SyncdError
from syncd.contract.ports import Tools
from syncd.ledger import undos, upkeep
from syncd.ledger.place import Place
from syncd.ledger.store import Ledger, reading
from syncd.ledger.undos import Value, Wanted
from syncd.pipeline import undoing
from syncd.registry import Registry

from .completion import syncs
from .contacts import the_contact
from .output import ConfigOption, JsonOption, note, print_json, settings_from, table, tell, when
from .progress import progress
from .review import mask
from .status import patience
from .who import operator

SHOWN = 20  # values of a dry run that are listed, unless all are wanted
LOOK = 0.5  # seconds between two looks at how far an undo is


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("undo", short_help="Put back what was written, where it is still ours.")(undo)


def undo(
    config: ConfigOption = None,
    *,
    run: Annotated[int | None, typer.Option(help="What was written in this run: see `syncd runs`.")] = None,
    sync: Annotated[str | None, typer.Option(autocompletion=syncs, help="What was written for this sync.")] = None,
    contact: Annotated[
        str | None, typer.Option(metavar="REF", help="What was written to this contact; an id may be shortened.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="What was written since: 2h, 3d, 2026-11-27T08:30 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="What was written before.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it. Without it, only what would be done is shown.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="With --yes: wait until the daemon has done it.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Show what the ledger knows, without a look at the CRM.")
    ] = False,
    stop: Annotated[
        int | None, typer.Option(metavar="RUN", help="Stop this undo: what it has not put back yet is left.")
    ] = None,
    every: Annotated[bool, typer.Option("--list", help=f"Show every value, not the first {SHOWN} only.")] = False,
    unmasked: Annotated[bool, typer.Option("--unmasked", help="Show values in full.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put back what stood in the CRM before syncd wrote there: all that is said must fit.

    A value is put back only while the CRM still holds it as syncd wrote it: whatever anybody has changed since, stays.
    Nothing that was put back is written again, until `syncd retry` wants it; nothing is bought for it. The daemon does
    it, by the same guards as any write; without a daemon, `syncd run --once` does. `--wait` ends without success where
    nothing is seen of a daemon for a minute and a half: what was asked for is kept, and done after the next start.

    \b
    Examples:
      syncd undo --run 118
      syncd undo --run 118 --yes --wait
      syncd undo --sync people --since 2h
      syncd undo --contact hubspot-eu/contacts/501 --yes
      syncd undo --stop 119
    """
    if stop is not None:
        _stop(config, stop, as_json=as_json)
        return
    if all(one is None for one in (run, sync, contact, since, until)):
        raise typer.BadParameter("say what: --run, --sync, --contact, --since, --until")
    looks = not (yes or offline)
    settings, registry = settings_from(config, secrets=looks)
    place = settings.ledger.place
    wanted = _wanted(settings, contact, since=since, until=until)
    wanted = replace(wanted, run=run, sync=sync)
    started = None
    if yes:
        values, started = Ledger.change(place, undos.ask_for, wanted, operator(), now=compose.clock_of(settings).now())
    else:
        with reading(place) as tx:
            values = undos.find(tx, wanted)
        values = values if offline else asyncio.run(_seen(settings, registry, values))
    if not as_json:
        _show(values, every=every, unmasked=unmasked)
        _conclude(values, started)
    if started is not None and wait:
        counts = wait_for(place, started, compose.clock_of(settings).now, patience(settings))
    else:
        counts = {}
    if as_json:
        print_json(_as_json(values, started, counts, unmasked=unmasked))
    elif counts:
        _tell_end(place, counts, started)


def _stop(config: Path | None, run: int, *, as_json: bool) -> None:
    settings, _ = settings_from(config, secrets=False)
    now = compose.clock_of(settings).now()
    left = Ledger.change(settings.ledger.place, undos.stop, run, operator(), now=now)
    if as_json:
        print_json({"run": run, "left": left})
    else:
        tell(
            f"Run {run} was stopped: {_values(left)} left as it was written."
            if left
            else "Nothing of it waits any more."
        )


def _wanted(settings: Settings, contact: str | None, *, since: str | None, until: str | None) -> Wanted:
    now = compose.clock_of(settings).now()

    def moment(option: str, text: str | None) -> float | None:
        try:
            return None if text is None else filters.moment(text, now)
        except ValueError as error:
            raise typer.BadParameter(f"{option}: {error}") from None

    ref = None
    if contact is not None:
        with reading(settings.ledger.place) as tx:
            ref = the_contact(tx, contact)
    return Wanted(contact=ref, since=moment("--since", since), until=moment("--until", until))


async def _seen(settings: Settings, registry: Registry, values: Sequence[Value]) -> list[Value]:
    """The values as the CRMs hold them now."""
    names = {one.ref.connection for one in values} & settings.connections.keys()
    alone = replace(settings, connections={name: settings.connections[name] for name in names})
    clock, rng = compose.clock_of(settings), random.Random()  # noqa: S311 - jitter, no secret
    tools = Tools(clock, rng, compose.NoMemory(), network=settings.network)
    crms, providers = compose.connect(alone, registry, lambda _: tools)
    try:
        return await undoing.preview(crms, values)
    finally:
        await compose.hang_up(crms, providers)


def _show(values: Sequence[Value], *, every: bool, unmasked: bool) -> None:
    totals = sorted(Counter((one.sync, one.field, one.provider, one.why_not) for one in values).items())
    rows = [[sync, field, provider, n, why or "is put back"] for (sync, field, provider, why), n in totals]
    table("", ["sync", "field", "provider", "values", "what becomes of them"], rows)
    shown = values if every else values[:SHOWN]
    heads = ["contact", "field", "run", "written (UTC)", "ours", "put back", "left, because"]
    table("", heads, (_row(one, unmasked=unmasked) for one in shown))
    if len(shown) < len(values):
        note(f"… and {len(values) - len(shown):,} more: --list shows all")


def _row(one: Value, *, unmasked: bool) -> list[Any]:
    ours, back = (text if unmasked or not text else mask(text) for text in (one.ours, one.back))
    return [one.ref, one.field, one.run, when(one.at), ours, back or "(blank)", one.why_not]


def _conclude(values: Sequence[Value], started: int | None) -> None:
    n = sum(not one.why_not for one in values)
    if not values:
        tell("Nothing that syncd has written fits.")
    elif started is None:
        tell(f"{_values(n)} would be put back, {len(values) - n:,} left: add --yes to do it." if n else "All are left.")
    else:
        tell(f"Run {started}: {_values(n)} to be put back, by the running daemon, or else by `syncd run --once`.")


def _values(n: int) -> str:
    return "1 value" if n == 1 else f"{n:,} values"


def wait_for(place: Place, run: int, now: Callable[[], float], patience: float) -> Mapping[str, int]:
    """Until nothing of it is left to do; what a CRM that is down keeps from being done is waited for, too. Raises where
    nothing was seen of a daemon for so many seconds."""

    def look() -> tuple[Mapping[str, int], float]:
        with reading(place) as tx:
            return undos.counts(tx, run), upkeep.mark(tx, upkeep.LOOKED_AT) or 0.0

    began = now()
    with progress("put back", "values") as line:
        while True:
            found, seen = look()
            if (open_ := _open(found)) <= 0:
                return found
            if now() - max(began, seen) > patience:
                raise SyncdError(
                    f"no daemon runs; still to be put back by run {run}: {_values(open_)}. That is kept: start the "
                    "daemon, or run: syncd run --once"
                )
            line(sum(found.values()) - open_, sum(found.values()))
            time.sleep(LOOK)


def _open(counts: Mapping[str, int]) -> int:
    return counts.get("asked", 0) + counts.get("intent", 0)


def _tell_end(place: Place, counts: Mapping[str, int], run: int | None) -> None:
    with reading(place) as tx:
        left = undos.left(tx, run or 0)
    tell(f"Put back: {_values(counts.get('undone', 0))}. Left as they are: {sum(left.values()):,}.")
    table("", ["left, because", "values"], left.items())


def _as_json(
    values: Sequence[Value], started: int | None, counts: Mapping[str, int], *, unmasked: bool
) -> dict[str, Any]:
    masked: Callable[[str], str] = (lambda text: text) if unmasked else (lambda text: mask(text) if text else "")
    rows = [{**one.as_json(), "ours": masked(one.ours), "back": masked(one.back)} for one in values]
    n = sum(not one.why_not for one in values)
    return {"put_back": n, "left": len(values) - n, "done": started is not None, "run": started} | {
        "became": dict(counts),
        "values": rows,
    }
