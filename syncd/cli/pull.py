"""The command that lets a sync run now: pull."""

from __future__ import annotations

from typing import Annotated

import typer

from syncd import compose
from syncd.ledger import upkeep
from syncd.ledger.store import Ledger

from .completion import syncs
from .output import ConfigOption, JsonOption, print_json, settings_from, tell


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("pull", short_help="Let a sync run now instead of at its next time.")(pull)


def pull(
    name: Annotated[str, typer.Argument(metavar="SYNC", autocompletion=syncs, help="Which sync.")],
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """What has changed in the CRM is pulled now; whoever lacks something is asked about, within the budgets.

    A running daemon takes it up within seconds; without one, the next start pulls every sync anyway.

    \b
    Example:
      syncd pull people
    """
    settings, _ = settings_from(config, secrets=False)
    known = [sync.name for sync in settings.syncs if not sync.paused]
    if name not in known:
        raise typer.BadParameter(f"there is no sync {name!r} that is not paused; choose one of: {', '.join(known)}")
    now = compose.clock_of(settings).now()
    Ledger.change(settings.ledger.place, upkeep.set_mark, upkeep.PULL_NOW + name, now)
    if as_json:
        print_json({"name": name})
    else:
        tell(f"{name} is pulled by the running daemon within seconds.")
