"""The command that tells what was asked, found, written and paid: report."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from syncd import compose, filters
from syncd.csvs import write_csv
from syncd.ledger import daily
from syncd.ledger.store import reading
from syncd.report import figures
from syncd.report.figures import SINCE, USUAL
from syncd.report.page import page
from syncd.report.texts import FIGURES, LEAGUE, NOTES, league_row, row_of

from .contacts import said_of_usage
from .output import ConfigOption, JsonOption, note, print_json, settings_from, table, tell

FORMATS = ("table", "csv", "json", "html")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("report", short_help="What was asked, found, written and paid.")(report)


def report(
    config: ConfigOption = None,
    *,
    since: Annotated[str, typer.Option(help="From the day of this moment on: 30d, 2026-11-01.")] = SINCE,
    until: Annotated[str | None, typer.Option(help="To the day of this moment; today, if it is left out.")] = None,
    by: Annotated[
        str, typer.Option(metavar="NAMES", help="A line for each of: day, sync, field, provider.")
    ] = ",".join(USUAL),
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}.")] = "table",
    as_json: JsonOption = False,
) -> None:
    """What was asked, found, verified, written and refused, what it cost, and how long answers took; and a league table
    of the providers, which compares only what can be compared.

    \b
    Examples:
      syncd report
      syncd report --since 7d --by day,provider
      syncd report --since 2026-11-01 --by sync,field --format csv > november.csv
      syncd report --format html > report.html
    """
    if form not in FORMATS:
        raise typer.BadParameter(f"--format is one of {', '.join(FORMATS)}")
    settings, _ = settings_from(config, secrets=False)
    now = compose.clock_of(settings).now()
    with said_of_usage():
        names = figures.grouping(by)
        days = figures.days_of(filters.moment(since, now), now if until is None else filters.moment(until, now))
    with reading(settings.ledger.place) as tx:
        told = figures.report(daily.read(tx, *days), days, names, uncounted=daily.uncounted(tx))
    if as_json or form == "json":
        print_json(told)
    elif form == "csv":
        write_csv(sys.stdout, [*names, *figures.COLUMNS], told["rows"])
    elif form == "html":
        typer.echo(page(told), nl=False)
    else:
        _show(told)


LEAST = ["contradicted", "refused", "p95", "p50", "misses", "verified", "a verified value"]  # where it is narrow
LEAST_OF_LEAGUE = ["refused", "contradicted", "p95", "p50", "asked", "found", "a verified value"]


def _show(told: Mapping[str, Any]) -> None:
    heads = [*told["by"], *FIGURES]
    rows = [[*(one[name] for name in told["by"]), *row_of(one)] for one in told["rows"]]
    if told["uncounted"]:
        note(f"About {told['uncounted']:,} answers and writes of late are not counted yet: look again in some minutes.")
    table(f"{told['since']} to {told['until']} (UTC)", heads, rows, LEAST)
    if not rows:
        tell(f"Nothing was asked or written from {told['since']} to {told['until']} (UTC).")
        return
    table("Providers", LEAGUE, map(league_row, told["league"]), LEAST_OF_LEAGUE)
    for line in NOTES:
        note(line)
