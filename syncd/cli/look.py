"""Commands that only look: check, plan, status, show, connectors, config schema."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from syncd import compose
from syncd.config import Settings, Sync, json_schema
from syncd.contract.errors import ConnectorError
from syncd.contract.model import ContactRef, Finding, Level
from syncd.contract.ports import Crm, CrmCapabilities, ProviderCapabilities, Tools
from syncd.ledger import contacts, reports
from syncd.ledger.contacts import NewJob
from syncd.ledger.store import reading
from syncd.pipeline import plan as planning
from syncd.registry import Registry
from syncd.web.reach import public_url_findings

from .output import ConfigOption, JsonOption, complain, out, print_json, settings_from, table, when

_MARK = {Level.OK: "[green]ok[/]", Level.WARNING: "[yellow]warning[/]", Level.ERROR: "[red]error[/]"}
config_app = typer.Typer(no_args_is_help=True, help="About the configuration file itself.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("check", short_help="What keeps `syncd run` from working, and the cure.")(check)
    app.command("plan", short_help="Who would be enriched, at which cost; spends nothing.")(plan)
    app.command("status", short_help="What is where, what waits for what, credits, errors.")(status)
    app.command("show", short_help="One contact's whole journey.")(show)
    app.command("connectors", short_help="Which CRMs and providers there are.")(connectors)
    config_app.command("schema")(schema)
    app.add_typer(config_app, name="config")


def check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Say everything that keeps `syncd run` from working, and what to do about it.

    First the file: every problem with its line. Then each connection: key, scopes, properties, limits,
    balance; then the public URL. Spends nothing, writes nothing. Exit 0 only if `run` would start well.

    \b
    Example:
      syncd check -c /etc/syncd/config.yaml
    """
    settings, registry = settings_from(config)
    found = asyncio.run(_check(settings, registry))
    failed = any(f.level is Level.ERROR for _, f in found)
    if as_json:
        print_json({"ok": not failed, "findings": [{"where": where, **asdict(f)} for where, f in found]})
    else:
        for where, finding in found:
            out.print(
                f"{_MARK[finding.level]}  {where}: {finding.what}"
                + (f"\n       → {finding.cure}" if finding.cure else "")
            )
    raise typer.Exit(1 if failed else 0)


def plan(
    config: ConfigOption = None,
    *,
    limit: Annotated[int, typer.Option(help="Stop after so many contacts of each sync.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Who would be enriched, by whom first, at which worst-case cost; and who not, and why.

    Reads the CRM, spends nothing, writes nothing.

    \b
    Example:
      syncd plan --limit 50 --json
    """
    settings, registry = settings_from(config)
    jobs, prices = asyncio.run(_plan(settings, registry, limit))
    cost = sum((prices[job.provider][job.field] for job in jobs if job.provider), Decimal(0))
    if as_json:
        rows = [
            {
                "contact": str(job.contact.ref), "field": job.field, "provider": job.provider or None,
                "worst_case_credits": prices[job.provider][job.field] if job.provider else 0,
                "skipped": job.note if job.reason else None,
            }
            for job in jobs
        ]  # fmt: skip
        print_json({"jobs": rows, "worst_case_credits": cost})
        return
    table(
        f"{sum(bool(j.provider) for j in jobs)} would be asked for, at most {cost} credits with the first provider",
        ["contact", "field", "first provider", "credits", "not, because"],
        ([j.contact.ref, j.field, j.provider, prices[j.provider][j.field] if j.provider else "", j.note] for j in jobs),
    )


def status(
    config: ConfigOption = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it, every two seconds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is where, what waits for what, credits, limits, balances, last errors.

    \b
    Examples:
      syncd status --watch
      syncd status --json
    """
    settings, _ = settings_from(config)

    def look() -> dict[str, Any]:
        with reading(settings.ledger.path) as tx:
            return reports.status(tx)

    if as_json:
        print_json(look())
    elif watch:
        with Live(Text(""), console=out, auto_refresh=False) as live:
            while True:
                with out.capture() as captured:
                    _show_status(look())
                live.update(Text.from_ansi(captured.get()), refresh=True)
                time.sleep(2)
    else:
        _show_status(look())


def show(
    ref: Annotated[str, typer.Argument(help="connection/object/id, for example hubspot-eu/contacts/501")],
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """One contact's whole journey: each event, call, credit, answer, and each value before and after.

    \b
    Example:
      syncd show hubspot-eu/contacts/501
    """
    try:
        parsed = ContactRef.parse(ref)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings, _ = settings_from(config)
    with reading(settings.ledger.path) as tx:
        journey = reports.journey(tx, parsed)
    if journey is None:
        complain([f"the ledger knows no {ref}: it lacks nothing, or no sync has pulled it yet"])
        raise typer.Exit(1)
    if as_json:
        print_json(journey)
    else:
        _show_journey(journey)


def connectors(*, as_json: JsonOption = False) -> None:
    """Which kinds of CRM and provider there are, and what each can do."""
    registry = Registry()
    kinds = [registry.kind(name) for name in registry.names()]
    if as_json:
        print_json({kind.name: {"port": kind.port, **asdict(kind.capabilities)} for kind in kinds})
        return
    table("CRMs", ["connector", "vendor", "objects", "history", "conditional write"], (
        [k.name, c.title, ", ".join(c.objects), "yes" if c.history else "no", "yes" if c.conditional_write else "no"]
        for k in kinds if isinstance(c := k.capabilities, CrmCapabilities)
    ))  # fmt: skip
    table("Providers", ["connector", "vendor", "finds", "worst-case credits", "per call", "needs"], (
        [k.name, c.title, ", ".join(sorted(c.fields)), ", ".join(f"{f} {p}" for f, p in sorted(c.price.items())), c.batch, c.inputs]
        for k in kinds if isinstance(c := k.capabilities, ProviderCapabilities)
    ))  # fmt: skip


def schema() -> None:
    """JSON Schema of the configuration, for editors.

    \b
    Example:
      syncd config schema > syncd.schema.json
    """
    print_json(json_schema())


async def _check(settings: Settings, registry: Registry) -> list[tuple[str, Finding]]:
    clock = compose.clock_of(settings)
    crms, providers = compose.connect(settings, registry, lambda _: Tools(clock, random.Random(), compose.NoMemory()))  # noqa: S311
    found: list[tuple[str, Finding]] = []
    for name, crm in crms.items():
        selections = [sync.selection for sync in settings.syncs if sync.crm == name]
        found += [(name, finding) for finding in await _asked(crm.check(selections))]
    for name, provider in providers.items():
        found += [(name, finding) for finding in await _asked(provider.check())]
    found += [("callbacks", finding) for finding in await public_url_findings(settings)]
    await compose.hang_up(crms, providers)
    return found


async def _asked(checking: Any) -> list[Finding]:
    try:
        findings: list[Finding] = await checking
    except ConnectorError as error:
        return [Finding(level=Level.ERROR, what=str(error), cure=getattr(error, "cure", "Try again in a minute."))]
    return findings


async def _plan(settings: Settings, registry: Registry, limit: int) -> tuple[list[NewJob], dict[str, Any]]:
    clock = compose.clock_of(settings)
    crms, providers = compose.connect(settings, registry, lambda _: Tools(clock, random.Random(), compose.NoMemory()))  # noqa: S311
    jobs: list[NewJob] = []
    for sync in settings.syncs:
        found = await _pull(crms[sync.crm], sync, limit)
        jobs += [job for job in planning.plan(found, [sync]) if not _known(settings, job)]
    await compose.hang_up(crms, providers)
    return jobs, {name: provider.capabilities.price for name, provider in providers.items()}


async def _pull(crm: Crm, sync: Sync, limit: int) -> list[contacts.Pulled]:
    found: list[contacts.Pulled] = []
    async for page in crm.pull(sync.selection, None):
        found += [contacts.pulled(contact, sync.name, tuple(sync.fields)) for contact in page.contacts]
        if len(found) >= limit:
            break
    return found[:limit]


def _known(settings: Settings, job: NewJob) -> bool:
    if not settings.ledger.path.exists():
        return False
    with reading(settings.ledger.path) as tx:
        return contacts.has_job(tx, job.contact.ref, job.field)


def _show_status(status: dict[str, Any]) -> None:
    for name, connection in status["connections"].items():
        if connection["trouble"]:
            out.print(f"[red]{name} is halted[/] since {when(connection['since'])}: {connection['message']}")
            out.print(f"  → {connection['cure']}\n")
    table(
        "Jobs",
        ["sync", "field", "state", "reason", "jobs"],
        ([r["sync"], r["field"], r["state"], r["reason"], r["n"]] for r in status["jobs"]),
    )
    table("Credits", ["provider", "calls", "charged", "reserved", "in doubt", "balance"], (
        [name, c["submissions"], c["charged"], c["reserved"], c["in_doubt"], status["connections"].get(name, {}).get("balance")]
        for name, c in status["credits"].items()
    ))  # fmt: skip
    table("Last pull", ["sync", "started (UTC)", "ended", "contacts", "stale", "error"], (
        [name, when(r["started_at"]), when(r["ended_at"]), r["contacts"], r["stale"], r["error"]] for name, r in status["runs"].items()
    ))  # fmt: skip
    table("Counted", ["what", "times"], status["tallies"].items())
    if not status["jobs"]:
        out.print("Nothing has been pulled yet. `syncd run` starts the daemon, `syncd plan` shows what it would do.")


def _show_journey(journey: dict[str, Any]) -> None:
    out.print(f"[bold]{journey['contact']}[/]  sync {journey['sync']}, pulled {when(journey['pulled_at'])} UTC")
    out.print("known: " + ", ".join(f"{k} {v}" for k, v in journey["known"].items()) + "\n")
    for job in journey["jobs"]:
        ending = f": {job['reason']}" if job["reason"] else ""
        out.print(f"[bold]{job['field']}[/]  {job['state']}{ending}" + (f"  {job['note']}" if job["note"] else ""))
        table("", ["when (UTC)", "move", "provider", "note"], (
            [when(e["at"]), f"{e['source'] or 'new'} → {e['target']}", e["provider"], e["note"] or e["reason"]] for e in job["events"]
        ))  # fmt: skip
        table("Calls", ["when (UTC)", "provider", "state", "requests", "reserved", "charged", "deliveries"], (
            [when(c["at"]), c["provider"], c["state"], c["requests"], c["reserved"], c["charged"], len(c["deliveries"])] for c in job["calls"]
        ))  # fmt: skip
        table("Answers", ["when (UTC)", "provider", "outcome", "candidates"], (
            [when(a["at"]), a["provider"], a["outcome"], ", ".join(f"{c['value']} ({c['grade']})" for c in a["candidates"])]
            for a in job["answers"]
        ))  # fmt: skip
        table("Writes", ["when (UTC)", "before", "after", "came to"], (
            [when(w["at"]), w["before"] or "(blank)", w["after"], w["state"]] for w in job["writes"]
        ))  # fmt: skip
        if job["same_person"]:
            out.print("the same person: " + ", ".join(job["same_person"]) + "\n")
