"""The command that asks about certain contacts now: enrich."""

from __future__ import annotations

from typing import Annotated

import typer

from syncd import compose
from syncd.actions import enriching
from syncd.contract.model import ContactRef
from syncd.ledger import upkeep
from syncd.ledger.store import Ledger

from .completion import syncs
from .contacts import said_of_usage
from .output import ConfigOption, JsonOption, print_json, settings_from, tell
from .prices import listed_prices


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("enrich", short_help="Ask about certain contacts now, before everybody else.")(enrich)


def enrich(
    contacts: Annotated[
        list[str], typer.Argument(metavar="REF…", help="connection/object/id, as `syncd contacts` shows them.")
    ],
    config: ConfigOption = None,
    *,
    sync: Annotated[
        str | None, typer.Option(autocompletion=syncs, help="By this sync, where several look after them.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it. Without it, only the price is shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask about these contacts now, also those that no pull has brought yet. They are read from the CRM and decided on
    before everybody else; selection, budgets, the suppression list and what is known already count as ever.

    A running daemon takes it up within seconds.

    \b
    Examples:
      syncd enrich crm/contacts/501
      syncd enrich crm/contacts/501 crm/contacts/502 --yes
    """
    settings, registry = settings_from(config, secrets=False)
    with said_of_usage():
        refs = list(dict.fromkeys(ContactRef.parse(one) for one in contacts))
        chosen = enriching.sync_for(settings.syncs, refs, sync)
    prices = listed_prices(settings, registry)
    one = sum(
        (
            prices.get(name, {}).get(str(field), 0)
            for field, policy in chosen.fields.items()
            for name in policy.providers
        ),
        start=0,
    )
    if yes:
        now = compose.clock_of(settings).now()
        keys = [upkeep.ENRICH_NOW + f"{chosen.name} {ref}" for ref in refs]
        Ledger.change(settings.ledger.place, upkeep.set_marks, keys, now)
    told = {"contacts": list(map(str, refs)), "sync": chosen.name, "worst_case_credits": float(one * len(refs))}
    if as_json:
        print_json({**told, "done": yes})
        return
    tell(f"{len(refs)} by {chosen.name}, at most {float(one * len(refs)):g} credits if every provider is asked.")
    tell("A running daemon takes it up within seconds." if yes else "Nothing was done: add --yes to do it.")
