"""The demo: the emulated vendors in a process of their own, and the real daemon against them.

The daemon is the one of `syncd run`, with its ledger, listeners and schedule; only the clock is
compressed, by the same factor as the vendors'. The verdict is the sandbox's judge's, from the CRM's
final state and the known truth, and the providers' own bills; the ledger is only asked for its credits.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from syncd import compose
from syncd.clock import RehearsalClock
from syncd.config import Log, LogFormat, load
from syncd.contract.errors import ConfigError, SyncdError
from syncd.daemon import Daemon
from syncd.ledger import reports, reviews
from syncd.ledger.states import JobState
from syncd.ledger.store import Ledger, Tx
from syncd.log import set_up
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.registry import Registry
from syncd.settling import settled

WATERFALL = {"email": ("zeliq", "fullenrich"), "phone": ("fullenrich", "zeliq")}
TRUTH = ("written", "missed", "wrong", "discarded", "bought_twice", "overwritten", "unverified")
LEAP_OVER = 120.0  # seconds of waiting for a rate window that are worth skipping
_MARK = "# Points at a sandbox: its keys are no secrets."
_BUSY = (JobState.SENDING, JobState.SENT, JobState.ANSWERED, JobState.ACCEPTED, JobState.WRITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be demonstrated."""

    contacts: int  # in HubSpot
    seed: int
    speed: float
    folder: Path
    serve: bool = False

    @property
    def salesforce(self) -> dict[str, int]:
        """How many of each object Salesforce holds."""
        return {"contacts": self.contacts // 4, "leads": self.contacts * 3 // 20}


def run(plan: Plan, *, quiet: bool) -> dict[str, Any]:
    """Do it; returns the report. `quiet`: no progress on standard error."""
    _clear(plan.folder)
    console = Console(stderr=True, quiet=quiet)
    with _vendors(plan) as info, (plan.folder / "syncd.log").open("w") as log:
        set_up(Log(format=LogFormat.JSON), stream=log)
        path = plan.folder / "config.yaml"
        path.write_text(configuration(info, plan.folder), "utf-8")
        return asyncio.run(_demonstrate(plan, info, path, console))


def configuration(info: dict[str, Any], folder: Path) -> str:
    """A configuration (YAML) for vendors as `syncd sandbox --json` describes them."""
    public, private = _free_port(), _free_port()
    urls, keys = info["urls"], info["keys"]
    return f"""\
{_MARK}
ledger: {{ path: {json.dumps(str(folder.resolve() / "ledger.db"))} }}
callbacks:
  listen: 127.0.0.1:{public}
  public_url: http://127.0.0.1:{public}
  secrets: ["{secrets.token_hex(32)}"]
admin: {{ listen: 127.0.0.1:{private} }}
rehearsal: {{ speed: {info["speed"]}, origin: {info["origin"]!r} }}
connections:
  hubspot: {{ connector: hubspot, access_token: "{keys["hubspot"]}", base_url: "{urls["hubspot"]}" }}
  zeliq:
    connector: zeliq
    api_key: "{keys["zeliq"]}"
    plan: {info["plan"]}
    base_url: "{urls["zeliq"]}"
    in_doubt: {{ policy: resend_once, hold: 4h }}
  fullenrich:
    connector: fullenrich
    api_key: "{keys["fullenrich"]}"
    base_url: "{urls["fullenrich"]}"
    in_doubt: {{ policy: resend_once, hold: 1h }}
{_salesforce(info)}syncs:
{"".join(_sync(crm, kind) for crm, kind in _objects(info))}"""


def _objects(info: dict[str, Any]) -> list[tuple[str, str]]:
    held = info["salesforce"]
    return [("hubspot", "contacts"), *(("salesforce", kind) for kind in ("contacts", "leads") if held[kind])]


def _salesforce(info: dict[str, Any]) -> str:
    if len(_objects(info)) == 1:
        return ""
    app = info["keys"]["salesforce"]
    return f"""\
  salesforce:
    connector: salesforce
    domain: {app["domain"]}
    client_id: "{app["client_id"]}"
    client_secret: "{app["client_secret"]}"
    base_url: "{info["urls"]["salesforce"]}"
"""


def _sync(crm: str, kind: str) -> str:
    return f"""\
  - name: {crm}-{kind}
    crm: {crm}
    object: {kind}
    every: 5m
    fields:
      email: {{ providers: [{", ".join(WATERFALL["email"])}], accept: [valid] }}
      phone: {{ providers: [{", ".join(WATERFALL["phone"])}], accept: [valid] }}
"""


def present(report: dict[str, Any], console: Console, as_typed: Callable[[str], str] = str) -> None:
    """The report as a person reads it. `as_typed`: a command as it has to be typed here."""
    console.print()
    console.print(_outcomes(report["outcomes"]), "")
    spent = Table(title="Credits and calls", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for head in ("connection", "credits in the ledger", "credits billed", "calls", "calls per 1,000 contacts"):
        spent.add_column(head, justify="left" if head == "connection" else "right")
    for name, calls in report["calls"].items():
        both = [str(report["credits"][side].get(name, "")) for side in ("by_ledger", "by_bill")]
        spent.add_row(name, *both, str(calls), str(report["calls_per_1000"].get(name, "")))
    console.print(spent, "")
    truth = ", ".join(f"{report[name]} {name.replace('_', ' ')}" for name in TRUTH)
    console.print(f"Compared with the truth: {truth}")
    for line in waiting_lines(report["review"]):
        console.print(line, soft_wrap=True)
    console.print(
        f"{report['contacts']} contacts in {report['seconds']:.1f} s on a clock {report['speed']:g} times as fast; "
        f"{report['searches']} search calls; {report['shared']} answers served the same person again, unpaid"
    )
    look = f"syncd status -c {report['config']} (or: syncd review list -c {report['config']})"
    console.print(f"The ledger is {report['ledger']}; look around with: {as_typed(look)}", soft_wrap=True)
    if not report["serves"]:
        serve = as_typed("syncd demo --serve")
        console.print(f"The operator's page was open while it ran; to look around there: {serve}", soft_wrap=True)
    verdict = "[bold green]All as it should be.[/]" if report["ok"] else "[bold red]Something is off; see above.[/]"
    console.print(verdict, highlight=False)


def waiting_lines(review: dict[str, Any]) -> list[str]:
    """How many values wait for review and why, one line for each reason; `review` as in the report."""
    if not review["waiting"]:
        return ["No value waits for review."]
    judged = f"{review['right']} right, {review['strangers']} of somebody else"
    reasons = (f"  {count}: {why}" for why, count in review["why"].items())
    return [f"Waiting for review: {review['waiting']} ({judged})", *reasons]


def _outcomes(rows: list[dict[str, Any]]) -> Table:
    """One line for each outcome of a field, one column for each sync."""
    syncs = list(dict.fromkeys(row["sync"] for row in rows))
    shown = Table(title="What became of every missing field", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for head in ("field", "outcome", *syncs):
        shown.add_column(head, justify="right" if head in syncs else "left")
    by_line: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        by_line.setdefault((row["field"], row["outcome"]), {})[row["sync"]] = row["n"]
    for (field, outcome), counted in sorted(by_line.items()):
        shown.add_row(field, outcome.replace("_", " "), *(str(counted.get(sync, "")) for sync in syncs))
    return shown


async def _demonstrate(plan: Plan, info: dict[str, Any], path: Path, console: Console) -> dict[str, Any]:
    registry = Registry()
    settings = load(path, os.environ, registry=registry)
    clock = RehearsalClock(plan.speed, info["origin"])
    parts = await compose.assemble(settings, registry, Ledger.open(settings.ledger.place), clock)
    daemon, started = Daemon(parts, Canary(), speed=plan.speed), time.monotonic()
    page = f"http://127.0.0.1:{daemon.private.port}/"
    console.print(f"Operator's page, live while this runs: {page}", soft_wrap=True)
    console.print(f"The vendors' clock and limits run {plan.speed:g} times as fast.")
    report: dict[str, Any] = {}

    async def until_done(running: Daemon) -> None:
        await _watch(running, clock, info["urls"]["control"], console)
        report.update(await _report(plan, parts, info, time.monotonic() - started), page=page)
        if plan.serve:
            present(report, console)
            console.print(f"Operator's page: {page} (still serving; Ctrl-C ends it)", soft_wrap=True)
            await asyncio.Event().wait()

    try:
        await daemon.run(until_done)
    finally:
        await compose.close(parts)
    if not report:
        raise SyncdError("the demo was stopped before it was done")
    return report


async def _watch(daemon: Daemon, clock: RehearsalClock, control: str, console: Console) -> None:
    """Show progress, and leap over hours in which only a rate window is waited for, until all is settled."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} fields{task.fields[rate]}, {task.fields[more]}"),
        TimeElapsedColumn(),
    )
    goal, begun = asyncio.create_task(settled(daemon.working)), time.monotonic()
    before = await daemon.parts.ledger.read(reports.far)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("enriching", total=None, rate="", more="")
        while not goal.done():
            states = await daemon.parts.ledger.read(reports.by_state)
            far, seconds = await daemon.parts.ledger.read(reports.far), time.monotonic() - begun
            rate = f", {far.done / seconds:,.0f} a second" if seconds >= 1 else ""
            progress.update(task, completed=far.done, total=far.total or None, rate=rate, more=far.in_words(before))
            await _leap(daemon, clock, control, states)
            await asyncio.wait([goal], timeout=0.25)
    await goal


async def _leap(daemon: Daemon, clock: RehearsalClock, control: str, states: dict[JobState, int]) -> None:
    waits = [lane.pacer.ready_in() for lane in daemon.parts.lanes.values()]
    idle = daemon.working.stages.pulled and states[JobState.QUEUED] and not any(states[s] for s in _BUSY)
    if idle and (wait := max(waits)) > LEAP_OVER:
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.post(f"{control}/clock/skip", json={"seconds": wait - 1})).raise_for_status()
        clock.skip(wait - 1)


async def _report(plan: Plan, parts: Parts, info: dict[str, Any], seconds: float) -> dict[str, Any]:
    waiting = await parts.ledger.read(_reviews)
    asked = {field: ",".join(names) for field, names in WATERFALL.items()}
    async with httpx.AsyncClient(base_url=info["urls"]["control"], timeout=60, trust_env=False) as control:
        answer = await control.post("/judge", params={**asked, "accept": "valid"}, json={"review": waiting})
        truth = answer.raise_for_status().json()
        bill = (await control.get("/bill")).raise_for_status().json()
        calls = (await control.get("/calls")).raise_for_status().json()
    spent = await parts.ledger.read(reports.credits_by_provider)
    by_ledger = {name: spent.get(name, {}).get("charged", 0.0) for name in bill}
    by_bill = {name: float(one["billed"]) for name, one in bill.items()}
    status = await parts.ledger.read(reports.status)
    made = {name: sum(by_endpoint.values()) for name, by_endpoint in calls.items()}
    held = {crm: judged["contacts"] for crm, judged in truth["crms"].items() if judged["contacts"]}
    return {
        "ok": truth["ok"] and by_ledger == by_bill,
        "seconds": round(seconds, 1),
        "speed": plan.speed,
        "serves": plan.serve,
        "contacts": truth["contacts"],
        **{name: truth[name] for name in TRUTH},
        "review": {"waiting": len(waiting), **truth["review"], "why": _reasons(waiting)},
        "credits": {
            "ledger": sum(by_ledger.values()), "billed": sum(by_bill.values()),
            "by_ledger": by_ledger, "by_bill": by_bill,
        },
        "calls": made,
        "calls_per_1000": {crm: round(made[crm] * 1000 / contacts) for crm, contacts in held.items()},
        "searches": sum(n for endpoint, n in calls["hubspot"].items() if "search" in endpoint),
        "shared": status["tallies"].get("answers_shared", 0),
        "outcomes": [
            {"sync": r["sync"], "field": r["field"], "outcome": r["reason"] or r["state"], "n": r["n"]}
            for r in status["jobs"]
        ],
        "truth": truth,
        "ledger": str(parts.ledger.place),
        "config": str(plan.folder / "config.yaml"),
    }  # fmt: skip


def _reviews(tx: Tx) -> list[dict[str, Any]]:
    """The values that wait for a person: ref, field, verdict, why (sentences), provider, value."""
    return [
        {
            "ref": one.ref,
            "field": one.field,
            "verdict": "doubtful",
            "why": list(one.speaks_against),
            "provider": one.provider,
            "value": one.value,
        }
        for one in reviews.waiting(tx)
    ]


def _reasons(waiting: list[dict[str, Any]]) -> dict[str, int]:
    """How often each reason is given, the most frequent first."""
    counted = Counter(", ".join(one["why"]) for one in waiting)
    return dict(counted.most_common())


def _clear(folder: Path) -> None:
    """Remove what an earlier demo left, and nothing else."""
    config = folder / "config.yaml"
    if config.exists() and not config.read_text("utf-8").startswith(_MARK):
        raise ConfigError([f"{config} is no demo's: choose another --folder"])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("config.yaml", "syncd.log", "ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (folder / name).unlink(missing_ok=True)


@contextmanager
def _vendors(plan: Plan) -> Iterator[dict[str, Any]]:
    """The sandbox in a process of its own, which ends with this one."""
    command = [sys.executable, "-m", "syncd", "sandbox", "--tether", "--json"]
    command += [f"--contacts={plan.contacts}", f"--seed={plan.seed}", f"--speed={plan.speed}"]
    command += [f"--salesforce={plan.salesforce['contacts']}", f"--leads={plan.salesforce['leads']}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SyncdError("the emulated vendors did not start; `syncd sandbox` says why")
            yield json.loads(line)
        finally:
            if process.stdin:
                process.stdin.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
