"""The command that decides again: retry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

import typer

from syncd.contract.errors import ConfigError
from syncd.ledger import retries
from syncd.ledger.states import Reason
from syncd.ledger.store import Ledger, reading

from .completion import connections, syncs
from .contacts import wanted_from
from .output import ConfigOption, JsonOption, print_json, settings_from, tell
from .plan import clock_of, on_copy, show


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("retry", short_help="Decide again now on what was in vain; shows the price first.")(retry)


def retry(
    query: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY]…", help="A contact, or what `syncd contacts` takes.")
    ] = None,
    config: ConfigOption = None,
    *,
    reason: Annotated[
        str | None, typer.Option(help="What ended for this reason (not_found, write_refused …), or `waiting`.")
    ] = None,
    sync: Annotated[str | None, typer.Option(autocompletion=syncs, help="Only of this sync.")] = None,
    provider: Annotated[
        str | None, typer.Option(autocompletion=connections, help="Only what this provider was asked last.")
    ] = None,
    field: Annotated[str | None, typer.Option(help="Only this field: email, phone.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it; without it, only what it would mean is shown.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide again, now, on contacts for whom something was in vain: nobody was found, the CRM refused the value.

    What was found and paid for is used before anybody is asked. Where a call was never answered it may be paid twice.
    A running daemon takes it up within seconds.

    \b
    Examples:
      syncd retry crm/contacts/501
      syncd retry --reason write_refused --yes
      syncd retry --reason not_found --sync people
      syncd retry acme reason:low_quality since:7d
    """
    if not any((query, reason, sync, provider, field)):
        raise typer.BadParameter("say what: a contact, or --reason, --sync, --provider, --field")
    known = {*Reason, "waiting"}
    if reason is not None and reason not in known:
        raise typer.BadParameter(f"there is no reason {reason!r}; choose one of {', '.join(sorted(known))}")
    settings, registry = settings_from(config, secrets=False)
    if settings.warnings:  # without a part of the configuration the price would be wrong
        raise ConfigError(settings.warnings)
    wanted = wanted_from(" ".join(query or ()), now=clock_of(settings).now())
    waiting = reason == "waiting"
    wanted = replace(
        wanted,
        reason=wanted.reason if waiting else reason or wanted.reason,
        sync=sync or wanted.sync,
        provider=provider or wanted.provider,
        field=field or wanted.field,
    )
    with reading(settings.ledger.place) as tx:
        jobs = retries.find(tx, wanted, waiting=waiting)
    planned = asyncio.run(on_copy(settings, registry, retry=jobs)) if jobs else None
    if yes and jobs:
        Ledger.change(settings.ledger.place, retries.retry, jobs, now=clock_of(settings).now())
    done = bool(yes and jobs)
    if as_json:
        told = {"asked": 0, "worst_case_credits": 0, "totals": []} if planned is None else planned.as_json(listed=False)
        print_json({"jobs": len(jobs), **told, "done": done})
        return
    if planned is None:
        tell("Nothing fits.")
        return
    show(planned, f"of {len(jobs):,} would be asked for")
    tell("Done: a running daemon takes it up within seconds." if done else "Nothing was done: add --yes to do it.")
