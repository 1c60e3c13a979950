"""Commands that look after the ledger: backup, restore, thaw, verify, reconcile."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from syncd import compose
from syncd.config import Port
from syncd.ledger import reconciliation, upkeep
from syncd.ledger.store import Ledger, reading

from .output import ConfigOption, JsonOption, complain, out, print_json, settings_from, when
from .tables import show_reconciliation
from .work import only_daemon


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("backup", short_help="A sound copy of the ledger, while the daemon runs.")(backup)
    app.command("restore", short_help="Put a copy in the ledger's place.")(restore)
    app.command("thaw", short_help="Buy again at once after a restore.")(thaw)
    app.command("verify", short_help="Is the ledger sound, and does it add up?")(verify)
    app.command("reconcile", short_help="Do the providers' balances move as the charges say?")(reconcile)


def backup(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet.")], config: ConfigOption = None
) -> None:
    """A sound copy of the ledger, while the daemon runs. (Copying the file itself loses what is in the -wal.)

    Example:  syncd backup /backup/ledger-$(date +%F).db
    """
    settings, _ = settings_from(config)
    started = time.monotonic()
    upkeep.back_up(settings.ledger.path, target)
    out.print(f"{target}: {target.stat().st_size / 1e6:.1f} MB in {time.monotonic() - started:.1f} s")


def restore(
    source: Annotated[Path, typer.Argument(help="A copy made by `syncd backup`.")], config: ConfigOption = None
) -> None:
    """Put a copy in the place of the ledger, which must have been moved away; the daemon must be stopped.

    What was bought since the copy was made is not known to it. So nothing is bought for as long as a
    provider's doubtful call is held (the longest in_doubt.hold); answers that come in meanwhile are
    recognised and kept. `syncd thaw` ends the wait.
    """
    settings, _ = settings_from(config)
    providers = [one for one in settings.connections.values() if one.port is Port.PROVIDER]
    hold = max((one.in_doubt_hold for one in providers), default=0.0)
    until = compose.clock_of(settings).now() + hold
    with only_daemon(settings.ledger.path):
        generation = upkeep.restore(source, settings.ledger.path, frozen_until=until)
    out.print(
        f"{settings.ledger.path} is restored (generation {generation}); nothing is bought before {when(until)} UTC"
    )


def thaw(
    config: ConfigOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, only what it would mean is shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Buy again at once after a restore, although answers to forgotten calls may still come in.

    Whoever was asked about between the copy and the restore is asked, and paid, once more. A running
    daemon takes it up within seconds.

    \b
    Examples:
      syncd thaw
      syncd thaw --yes
    """
    settings, _ = settings_from(config)
    with reading(settings.ledger.path) as tx:
        freeze = upkeep.freeze(tx, now=compose.clock_of(settings).now())
    thawed = yes and freeze is not None
    if thawed:
        Ledger.change(settings.ledger.path, upkeep.thaw)
    if as_json:
        print_json({"frozen": None if freeze is None else asdict(freeze), "thawed": thawed})
        return
    if freeze is None:
        out.print("Nothing is frozen.")
        return
    copied = f" of {when(freeze.copied_at)} UTC" if freeze.copied_at else ""
    out.print(
        f"The ledger was restored from a copy{copied}, and knows of no call since: so nothing is bought "
        f"before {when(freeze.until)} UTC."
    )
    out.print(
        f"{freeze.waiting} jobs wait to be asked about. Those that were asked about after the copy was made "
        "and are not answered yet would be paid a second time."
    )
    out.print("Buying goes on." if thawed else "To buy at once all the same: syncd thaw --yes")


def verify(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Is the ledger sound, and does it add up? Integrity, history, counters, credits, balances.

    Exit 1 if anything is off. A balance that moved otherwise than the charges say is told, and is no
    fault of the ledger: see `syncd reconcile`.
    """
    settings, _ = settings_from(config)
    with reading(settings.ledger.path) as tx:
        off = list(upkeep.problems(settings.ledger.path, tx))
        balances = reconciliation.report(tx)
    if as_json:
        print_json({"ok": not off, "problems": off, "balances": balances})
    else:
        complain(off)
        show_reconciliation(balances)
        out.print("" if off else "The ledger is sound and adds up.")
    raise typer.Exit(1 if off else 0)


def reconcile(
    config: ConfigOption = None,
    *,
    accept: Annotated[
        str | None, typer.Option(metavar="CONNECTION", help="Its difference is known: measure anew from now on.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Do the providers' balances move as the charges say? As of the daemon's last look, a minute ago at most.

    Calls under way may have taken credits already, up to their worst case, and refunds may be late: a
    difference is what neither of them explains. It is certain once it has stood for ten minutes. Others
    who use the same account, and calls that a restored ledger forgot, show up here.

    \b
    Examples:
      syncd reconcile
      syncd reconcile --accept finder
    """
    settings, _ = settings_from(config)
    if accept is not None and not Ledger.change(settings.ledger.path, reconciliation.accept, accept):
        raise typer.BadParameter(f"no balance is known of a connection called {accept}")
    with reading(settings.ledger.path) as tx:
        balances = reconciliation.report(tx)
    if as_json:
        print_json({"balances": balances})
        return
    show_reconciliation(balances)
    if not balances:
        out.print("No balance is known yet: the daemon looks once a minute.")
    elif not any(reconciliation.in_words(one) for one in balances.values()):
        out.print("All balances move as the charges say.")
