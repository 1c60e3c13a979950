"""The command that previews: plan."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd import compose
from syncd.config import Settings
from syncd.contract.pacing import Clock
from syncd.ledger import budgets, copies, reports
from syncd.ledger.reports import Planned, PlannedTotal
from syncd.ledger.store import Ledger
from syncd.log import set_up
from syncd.pipeline.parts import Parts
from syncd.pipeline.preview import ENOUGH, Price, preview, preview_retry, price_of
from syncd.pipeline.spending import budgets_of
from syncd.registry import Registry

from .output import ConfigOption, JsonOption, note, print_json, settings_from, table, tell
from .progress import EVERY, progress


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("plan", short_help="Who would be enriched, at which cost; spends nothing.")(plan)


def plan(
    config: ConfigOption = None,
    *,
    each: Annotated[bool, typer.Option("--list", help="Every single contact, not only the totals.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="List so many contacts at most.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """What `syncd run` would decide now: whom it would ask about, at which cost, and whom not, and why.

    Pulls from the CRM and decides on a copy of the ledger, by the very same rules. Spends nothing, writes nothing.
    The worst case is that every provider that may be asked finds something and charges for it; what is to be expected
    is known once a provider has answered 30 times.

    \b
    Examples:
      syncd plan
      syncd plan --list --limit 50
      syncd plan --json
    """
    settings, registry = settings_from(config)
    planned = asyncio.run(on_copy(settings, registry, list_at_most=limit if each else 0))
    if as_json:
        print_json(planned.as_json(listed=each))
        return
    show(planned, "would be asked for")
    if each:
        rows = [[one.contact, one.field, one.provider, one.skipped] for one in planned.rows]
        table(f"The first {len(rows)}", ["contact", "field", "next provider", "not, because"], rows)
    elif planned.totals:
        note("`--list` shows single contacts.")


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided: totals with their price, some single decisions, and how the budgets stand."""

    totals: list[tuple[PlannedTotal, Price]]
    rows: list[Planned]
    budgets: list[dict[str, Any]]

    @property
    def asked(self) -> int:
        """How many fields would be asked for."""
        return sum(total.contacts for total, _ in self.totals if total.provider is not None)

    @property
    def price(self) -> Price:
        """That of all."""
        return sum((price for _, price in self.totals), Price())

    def as_json(self, *, listed: bool) -> dict[str, Any]:
        """Plain data for scripts."""
        totals = [{**asdict(total), **_credits(price)} for total, price in self.totals]
        left = [{**one, "left": one["cap"] - one["used"]} for one in self.budgets]
        jobs = {"jobs": [asdict(one) for one in self.rows]} if listed else {}
        return {"asked": self.asked, **_credits(self.price), "totals": totals, "budgets": left, **jobs}


def _credits(price: Price) -> dict[str, Any]:
    return {
        "expected_credits": price.expected,
        "worst_case_credits": price.worst,
        "next_provider_credits": price.first,
    }


def show(planned: Preview, what: str) -> None:
    """The totals by sync, field, provider and reason; then the price beside what the budgets leave."""
    heads = ["sync", "field", "next provider", "contacts", "expected", "at worst", "not, because"]
    table("", heads, (_row(total, price) for total, price in planned.totals))
    price = planned.price
    likely = "" if price.expected is None else f"{price.expected:,.0f} credits are to be expected, and "
    unknown = " What is to be expected is known once each provider has answered 30 times." * (price.expected is None)
    tell(f"{planned.asked:,} {what}: {likely}{price.worst:,} credits at worst.{unknown}")
    for one in planned.budgets:
        left = one["cap"] - one["used"]
        enough = "" if left >= price.worst else ", which is less than the worst case: the rest waits"
        tell(f"{one['budget']}: {budgets.in_words(one)}; {left:g} are left{enough}")


def _row(total: PlannedTotal, price: Price) -> list[Any]:
    reason = (total.reason or "").replace("_", " ")
    if total.provider is None:
        return [total.sync, total.field, "", total.contacts, "", "", reason]
    likely = "?" if price.expected is None else f"{price.expected:.1f}"
    return [total.sync, total.field, total.provider, total.contacts, likely, price.worst, ""]


def clock_of(settings: Settings) -> Clock:
    """The host's clock, or a rehearsal's."""
    return compose.clock_of(settings)


async def on_copy(
    settings: Settings, registry: Registry, *, retry: Sequence[int] | None = None, list_at_most: int = 0
) -> Preview:
    """Decide on a copy of the ledger: after a pull, or on these jobs alone, as `syncd retry` would have it."""
    # Standard output is the answer's, and what the stages tell as news has not happened.
    set_up(settings.log.model_copy(update={"level": "error"}), hidden=settings.secrets)
    with tempfile.TemporaryDirectory(prefix="syncd-plan-") as folder:
        copy = Path(folder) / "ledger.db"
        if settings.ledger.path.exists():
            with progress("copying the ledger", "MB", per=1e6) as line:
                await asyncio.to_thread(copies.back_up, settings.ledger.path, copy, line)
        ledger = await asyncio.to_thread(Ledger.open, copy)
        parts = await compose.assemble(settings, registry, ledger, compose.clock_of(settings))
        gc.freeze()  # all this lives as long as the process; and what a page makes leaves no cycles
        gc.set_threshold(50_000, 20, 50)
        try:
            async with _seen(ledger):
                since = await (preview(parts) if retry is None else preview_retry(parts, retry))
            return await _read(parts, since, retry, list_at_most)
        finally:
            await compose.close(parts)


async def _read(parts: Parts, since: int, jobs: Sequence[int] | None, list_at_most: int) -> Preview:
    read, now = parts.ledger.read, parts.clock.now()
    totals = await read(reports.planned_totals, since_event=since, jobs=jobs)
    rows = await read(reports.planned, since_event=since, jobs=jobs, limit=list_at_most) if list_at_most else []
    rates = await read(reports.hit_rates, at_least=ENOUGH)
    listed = {name: lane.provider.capabilities.price for name, lane in parts.lanes.items()}
    prices = {name: await read(budgets.worst_prices, name, price, now=now) for name, price in listed.items()}
    used = await read(budgets.report, budgets_of(parts.settings), now=now)
    return Preview([(one, price_of(one, parts.syncs, prices, rates)) for one in totals], rows, used)


@asynccontextmanager
async def _seen(ledger: Ledger) -> AsyncIterator[None]:
    """How many contacts were pulled so far is shown meanwhile."""
    run = await ledger.read(reports.newest_run)

    async def look() -> None:
        with progress("pulled and decided on", "contacts") as line:
            while True:
                await asyncio.sleep(EVERY)
                line(await ledger.read(reports.pulled_since, run=run))

    watching = asyncio.create_task(look(), name="progress")
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
