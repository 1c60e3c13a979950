"""Commands that only look: check, show, runs, connectors, config schema."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from syncd import compose
from syncd.config import Settings, json_schema, place, unused
from syncd.contract.model import Finding, Level
from syncd.contract.ports import Crm, CrmCapabilities, Provider, ProviderCapabilities, Tools
from syncd.ledger import reports
from syncd.ledger.store import reading
from syncd.registry import Registry
from syncd.web.reach import public_url_findings

from . import host
from .completion import syncs
from .contacts import the_contact, wanted_from
from .findings import asked, coded, explain_codes
from .findings import show as show_finding
from .output import ConfigOption, JsonOption, page, print_json, say, settings_from, table
from .prices import listed_prices
from .tables import show_journey, show_runs

config_app = typer.Typer(no_args_is_help=True, help="About the configuration file itself.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("check", short_help="What keeps `syncd run` from working, and the cure.")(check)
    app.command("show", short_help="One contact's whole journey.")(show)
    app.command("runs", short_help="The last runs, and what each has written.")(runs)
    app.command("connectors", short_help="Which CRMs and providers there are.")(connectors)
    config_app.command("schema")(schema)
    app.add_typer(config_app, name="config")


def check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Say everything that keeps `syncd run` from working, and what to do about it.

    First the file: every problem with its line. Then each connection: key, scopes, properties, limits,
    balance; then this host: the ledger's folder and lock, ports; then the public URL. Spends nothing, writes
    nothing. Exit 0 only if `run` would start well.

    \b
    Example:
      syncd check -c /etc/syncd/config.yaml
    """
    settings, registry = settings_from(config)
    found = asyncio.run(_check(settings, registry))
    failed = any(f.level is Level.ERROR for _, f in found)
    if as_json:
        rows = [{"where": where, **coded(f), "place": place(settings, where, f)} for where, f in found]
        print_json({"ok": not failed, "findings": rows})
    else:
        for where, finding in found:
            at = place(settings, where, finding) if finding.level is not Level.OK else ""
            show_finding(finding, where, at)
        for name, keys in _pages(settings, registry, found).items():
            say(f"{'see':<7}", f" {keys}: which key and rights {name} needs")
        explain_codes(found)
    raise typer.Exit(1 if failed else 0)


def show(
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="connection/object/id, an id or its beginning, or an e-mail.")
    ],
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """One contact's whole journey: each event, call, credit, answer, and each value before and after.

    \b
    Examples:
      syncd show hubspot-eu/contacts/501
      syncd show 501
    """
    settings, registry = settings_from(config, secrets=False)
    with reading(settings.ledger.place) as tx:
        journey = reports.journey(tx, the_contact(tx, ref), listed_prices(settings, registry)) or {}
    if as_json:
        print_json(journey)
    else:
        show_journey(journey)


def runs(
    config: ConfigOption = None,
    *,
    sync: Annotated[str | None, typer.Option(autocompletion=syncs, help="Only those of this sync.")] = None,
    since: Annotated[str | None, typer.Option(help="Only those that began since then: 7d, 2026-11-01.")] = None,
    before: Annotated[int | None, typer.Option(metavar="RUN", help="Go on behind a page: its last run.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """The last runs, newest first: each pull with the values that were written until the next one, and each undo.

    \b
    Examples:
      syncd runs
      syncd runs --sync people --limit 5
    """
    settings, _ = settings_from(config, secrets=False)
    moment = wanted_from(f"since:{since}" if since else None, now=compose.clock_of(settings).now()).since
    with reading(settings.ledger.place) as tx:
        found = reports.runs(tx, sync, limit=limit, before=before, since=moment)
    if as_json:
        print_json(found)
    else:
        show_runs(found)


def connectors(*, as_json: JsonOption = False) -> None:
    """Which kinds of CRM and provider there are, and what each can do.

    \b
    Example:
      syncd connectors
    """
    registry = Registry()
    kinds = [registry.kind(name) for name in registry.names()]
    if as_json:
        print_json({kind.name: {"port": kind.port, **asdict(kind.capabilities)} for kind in kinds})
        return
    crms = [_crm(kind.name, c) for kind in kinds if isinstance(c := kind.capabilities, CrmCapabilities)]
    table("CRMs", ["connector", "vendor", "objects", "history", "conditional write"], crms)
    providers = [_provider(kind.name, c) for kind in kinds if isinstance(c := kind.capabilities, ProviderCapabilities)]
    table("Providers", ["connector", "vendor", "worst-case credits", "per call", "needs"], providers)


def schema() -> None:
    """JSON Schema of the configuration, for editors.

    \b
    Example:
      syncd config schema > syncd.schema.json
    """
    registry = Registry()
    print_json(json_schema([registry.kind(name) for name in registry.names()]))


def _crm(name: str, can: CrmCapabilities) -> list[str]:
    answers = ["yes" if able else "no" for able in (can.history, can.conditional_write)]
    return [name, can.title, ", ".join(can.objects), *answers]


def _pages(settings: Settings, registry: Registry, found: Sequence[tuple[str, Finding]]) -> dict[str, str]:
    """Of each connection with which something is wrong: where its key and rights are written down."""
    wrong = {where for where, one in found if one.level is Level.ERROR and where in settings.connections}
    pages = {name: registry.kind(settings.connections[name].connector).capabilities.keys for name in sorted(wrong)}
    return {name: page(where) for name, where in pages.items() if where}


def _provider(name: str, can: ProviderCapabilities) -> list[str]:
    prices = ", ".join(f"{field} {price}" for field, price in sorted(can.price.items()))
    return [name, can.title, prices, str(can.batch), can.inputs]


async def _check(settings: Settings, registry: Registry) -> list[tuple[str, Finding]]:
    crms, providers = _connect(settings, registry)
    found: list[tuple[str, Finding]] = []
    for name, crm in crms.items():
        selections = [sync.selection for sync in settings.syncs if sync.crm == name]
        found += [(name, finding) for finding in await asked(crm.check(selections))]
    for name, provider in providers.items():
        found += [(name, finding) for finding in await asked(provider.check())]
    found += host.findings(settings)
    found += unused(settings)
    found += [("callbacks", finding) for finding in await public_url_findings(settings)]
    await compose.hang_up(crms, providers)
    return found


def _connect(settings: Settings, registry: Registry) -> tuple[dict[str, Crm], dict[str, Provider]]:
    clock, rng = compose.clock_of(settings), random.Random()  # noqa: S311 - jitter, no secret
    made = Tools(clock, rng, compose.NoMemory(), network=settings.network)
    return compose.connect(settings, registry, lambda _: made)
