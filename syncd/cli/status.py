"""The command that says where everything stands: status, once or as a live screen."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from syncd import compose
from syncd.config import Settings
from syncd.ledger import daily, glances
from syncd.ledger.store import Tx, reading
from syncd.observe import summary
from syncd.observe.status import look as observed
from syncd.observe.status import summarised
from syncd.report import figures

from . import screen, watching
from .output import ConfigOption, JsonOption, out, print_json, settings_from
from .screen import View
from .tables import show_status

SEEN_WITHIN = 90.0  # seconds without a sign of the daemon until `status` says so
IN_A_PIPE = 120  # columns


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("status", short_help="What is where, what waits for what, credits, errors.")(status)


def status(
    config: ConfigOption = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it, every two seconds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is where, what waits for what, credits, limits, balances, last errors.

    With `--watch` a live screen: q quits, p pauses, ? explains the signs. In a pipe, one snapshot follows the other;
    with `--json` each is an object in a line.

    \b
    Examples:
      syncd status
      syncd status --watch
      syncd status --json
    """
    settings, _ = settings_from(config, secrets=False)
    now = compose.clock_of(settings).now

    def look() -> dict[str, Any]:
        with reading(settings.ledger.place) as tx:
            return _looked(tx, settings, now())

    def view() -> View:
        with reading(settings.ledger.place) as tx:
            return _view(tx, settings, now())

    if not watch:
        print_json(look()) if as_json else show_status(look())
    elif as_json:
        _repeat(lambda: print_json(look(), indent=None))
    elif sys.stdout.isatty():
        watching.watch(view, out)
    else:
        _repeat(lambda: typer.echo(screen.plain(view(), IN_A_PIPE)))


def _repeat(show: Callable[[], object]) -> None:
    while True:
        show()
        sys.stdout.flush()
        time.sleep(watching.EVERY)


def _looked(tx: Tx, settings: Settings, now: float) -> dict[str, Any]:
    status = summarised(observed(tx, settings, now=now), settings)
    return {**status, "running": _runs(settings, status["looked_at"], now)}


def _view(tx: Tx, settings: Settings, now: float) -> View:
    status = _looked(tx, settings, now)
    return View(
        name=socket.gethostname(),
        mode=summary.mode(settings),
        status=status,
        today=_today(tx, now),
        limits=glances.limits(tx, now=now),
        lately=glances.written_lately(tx, limit=2),
        next_pulls=summary.next_pulls(status, settings, now),
        looked=now,
        moment=time.monotonic(),
        page=f"http://{settings.admin.listen}/",
    )


def _today(tx: Tx, now: float) -> dict[str, Mapping[str, Any]]:
    """By sync, what the report counts since this day began (UTC)."""
    days = figures.days_of(now, now)
    return {row["sync"]: row for row in figures.report(daily.read(tx, *days), days, ("sync",))["rows"]}


def _runs(settings: Settings, looked_at: float | None, now: float) -> bool:
    return looked_at is not None and now - looked_at < patience(settings)


def patience(settings: Settings) -> float:
    """For how many seconds nothing may be seen of a daemon that runs.

    It says how the gate stands every half a minute at least, by its own clock: in a rehearsal that runs fast, ten real
    seconds.
    """
    speed = settings.rehearsal.speed if settings.rehearsal else 1.0
    return max(SEEN_WITHIN, 10.0 * speed)
