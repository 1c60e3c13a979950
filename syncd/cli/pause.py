"""The commands that stop and start: pause, resume."""

from __future__ import annotations

from typing import Annotated

import typer

from syncd import compose
from syncd.actions import pausing
from syncd.config import Settings
from syncd.ledger import pauses
from syncd.ledger.pauses import PauseKind
from syncd.ledger.store import Ledger

from .completion import syncs_and_connections
from .contacts import said_of_usage
from .output import ConfigOption, JsonOption, print_json, settings_from, tell, when
from .who import operator

Name = Annotated[
    str | None, typer.Argument(autocompletion=syncs_and_connections, help="A sync, or a provider's connection.")
]
Everything = Annotated[bool, typer.Option("--all", help="Everything.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("pause", short_help="Stop a sync, a provider, or everything for a while.")(pause)
    app.command("resume", short_help="Let what was paused go on.")(resume)


def pause(
    name: Name = None,
    config: ConfigOption = None,
    *,
    everything: Everything = False,
    reason: Annotated[str, typer.Option(help="Why; it is shown to everybody.")] = pausing.BY_HAND,
    until: Annotated[
        str | None, typer.Option(help="Until then: 2h, or 2026-11-27T08:30 (UTC). Without it, until `syncd resume`.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Nothing is bought and nothing is written any more; answers that were paid for are received and kept.

    A provider's pause stops the calls to it alone. A write that was begun is brought to its end. A running daemon
    takes it up with its next call; a restart, or another configuration, changes nothing about it.

    \b
    Examples:
      syncd pause people --reason "CRM clean-up" --until 4h
      syncd pause my-provider
      syncd pause --all
    """
    settings, _ = settings_from(config, secrets=False)
    kind, known = _which(settings, name, everything=everything)
    now = compose.clock_of(settings).now()
    end = None if until is None else _moment(until, now)
    Ledger.change(settings.ledger.place, pauses.pause, kind, known, reason, until=end, by=operator(), now=now)
    if as_json:
        print_json({"kind": kind, "name": known, "reason": reason, "until": end})
        return
    tell(f"{known or 'Everything'} is paused {f'until {when(end)} UTC' if end else 'until it is resumed'}.")


def resume(
    name: Name = None,
    config: ConfigOption = None,
    *,
    everything: Everything = False,
    as_json: JsonOption = False,
) -> None:
    """What was paused goes on: by hand, or by a sync's `canary` once its first values were looked at.

    \b
    Examples:
      syncd resume people
      syncd resume --all
    """
    settings, _ = settings_from(config, secrets=False)
    kind, known = _which(settings, name, everything=everything)
    done = Ledger.change(settings.ledger.place, pauses.resume, kind, known)
    if as_json:
        print_json({"kind": kind, "name": known, "resumed": done})
    else:
        tell(f"{known or 'Everything'} {'goes on' if done else 'was not paused'}.")


def _which(settings: Settings, name: str | None, *, everything: bool) -> tuple[PauseKind, str]:
    if everything != (name is None):
        raise typer.BadParameter("name a sync or a provider, or say --all")
    with said_of_usage():
        return pausing.which(settings, name or "")


def _moment(until: str, now: float) -> float:
    """From now on, or a moment that lies ahead."""
    try:
        return pausing.end(until, now)
    except ValueError as error:
        raise typer.BadParameter(f"--until: {error}") from None
