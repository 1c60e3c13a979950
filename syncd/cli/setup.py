"""The command that makes properties in a CRM: setup."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer

from syncd import compose
from syncd.config import Settings
from syncd.config.shape import suggest
from syncd.contract.model import Finding, Level
from syncd.contract.ports import Crm, MakesProperties, Tools
from syncd.registry import Registry

from .completion import connections
from .findings import coded
from .findings import show as show_finding
from .output import ConfigOption, JsonOption, print_json, settings_from, tell


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("setup", short_help="Make the CRM properties that tell where values are from.")(setup)


def setup(
    crm: Annotated[str, typer.Argument(metavar="CRM", autocompletion=connections, help="A connection to a CRM.")],
    config: ConfigOption = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it. Without it, only what would be done is shown.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the properties that `provenance` and `request` of this CRM's syncs name, or say what an admin has to do.

    What is there already is left as it is. Until they are there, values are written without them.

    \b
    Examples:
      syncd setup hubspot-eu
      syncd setup hubspot-eu --yes
    """
    settings, registry = settings_from(config)
    crms = sorted({sync.crm for sync in settings.syncs})
    if crm not in crms:
        raise typer.BadParameter(f"no sync writes to a CRM called {crm!r}; {suggest(crm, crms)}")
    found = asyncio.run(_set_up(settings, registry, crm, dry_run=not yes))
    failed = any(one.level is not Level.OK for one in found)
    if as_json:
        print_json({"ok": not failed, "done": yes, "findings": [coded(one) for one in found]})
    else:
        _show(found, yes=yes)
    raise typer.Exit(1 if failed else 0)


def _show(found: list[Finding], *, yes: bool) -> None:
    for one in found:
        show_finding(one)
    if not found:
        tell("No sync of it names properties in `provenance` or `request`: there is nothing to make.")
    elif not yes and any("would be made" in one.what for one in found):
        tell("Nothing was made: add --yes to make them.")


async def _set_up(settings: Settings, registry: Registry, name: str, *, dry_run: bool) -> list[Finding]:
    alone = replace(settings, connections={name: settings.connections[name]})
    clock, rng = compose.clock_of(settings), random.Random()  # noqa: S311 - jitter, no secret
    tools = Tools(clock, rng, compose.NoMemory(), network=settings.network)
    crms, providers = compose.connect(alone, registry, lambda _: tools)
    try:
        return await _make(crms, settings, name, dry_run=dry_run)
    finally:
        await compose.hang_up(crms, providers)


async def _make(crms: Mapping[str, Crm], settings: Settings, name: str, *, dry_run: bool) -> list[Finding]:
    crm = crms[name]
    mine = [sync for sync in settings.syncs if sync.crm == name]
    selections = {(s.object, s.request, *sorted(s.provenance.items())): s.selection for s in mine}
    wanted = [one for one in selections.values() if one.stamps or one.request]
    if wanted and not isinstance(crm, MakesProperties):
        names = ", ".join(sorted({place for one in wanted for place in (*one.stamps.values(), one.request) if place}))
        return [
            Finding(level=Level.WARNING, what="syncd can't make properties there", cure=f"make them by hand: {names}")
        ]
    return [
        finding
        for one in wanted
        if isinstance(crm, MakesProperties)
        for finding in await crm.make_properties(one, dry_run=dry_run)
    ]
