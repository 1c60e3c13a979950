"""Commands that look after the ledger: backup, restore, thaw, verify, reconcile."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from syncd import compose
from syncd.config import Port
from syncd.ledger import copies, reconciliation, upkeep
from syncd.ledger.file import file_of
from syncd.ledger.store import Ledger, reading

from .completion import connections
from .output import ConfigOption, JsonOption, complain, print_json, settings_from, tell, when
from .progress import progress
from .tables import show_reconciliation
from .work import only_daemon

BY_POSTGRES = "copy it as you copy your databases, with pg_dump or a backup of the server"
AFTER_POSTGRES = "put it back by PostgreSQL's own tools, then say `syncd restore` without a file"
LONGEST_HOLD = 2 * 86_400.0  # seconds at the least, where some of the configuration could not be read


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("backup", short_help="A sound copy of the ledger, while the daemon runs.")(backup)
    app.command("restore", short_help="Put a copy in the ledger's place.")(restore)
    app.command("thaw", short_help="Buy again at once after a restore.")(thaw)
    app.command("verify", short_help="Is the ledger sound, and does it add up?")(verify)
    app.command("reconcile", short_help="Do the providers' balances move as the charges say?")(reconcile)


def backup(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """A sound copy of the ledger, while the daemon runs. (Copying the file itself loses what is in the -wal.)

    It has its name once it is whole and on the disk, and only its owner can read it.

    \b
    Examples:
      syncd backup /backup/ledger-$(date +%F).db
      syncd backup ledger.copy.db --json
    """
    settings, _ = settings_from(config, secrets=False)
    started = time.monotonic()
    path = file_of(settings.ledger.place, BY_POSTGRES)
    with progress("copying", "MB", per=1e6) as line:
        copies.back_up(path, target, line)
    size, seconds = target.stat().st_size, time.monotonic() - started
    if as_json:
        print_json({"copy": target, "bytes": size, "seconds": round(seconds, 3)})
    else:
        tell(f"{target}: {size / 1e6:.1f} MB in {seconds:.1f} s")


def restore(
    source: Annotated[
        Path | None,
        typer.Argument(help="A copy made by `syncd backup`; none where PostgreSQL has put the ledger back."),
    ] = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Put a copy in the place of the ledger; the daemon must be stopped. The old ledger is moved aside, not deleted.
    A ledger in PostgreSQL is put back by PostgreSQL's own tools first; then this says so in it, before syncd starts.

    What was bought since the copy was made is not known to it. So nothing is bought for as long as a
    provider's doubtful call is held (the longest in_doubt.hold); answers that come in meanwhile are
    recognised and kept. `syncd thaw` ends the wait. Root can do it for the daemon: the files stay the daemon's.

    \b
    Examples:
      systemctl stop syncd
      syncd restore /backup/ledger-2026-11-27.db
      systemctl start syncd
      syncd restore   # after pg_restore
    """
    settings, _ = settings_from(config, secrets=False)
    clock, place = compose.clock_of(settings), settings.ledger.place
    if (source is None) == isinstance(place, Path):
        raise typer.BadParameter(
            "name the copy" if source is None else f"the ledger is in PostgreSQL: {AFTER_POSTGRES}"
        )
    providers = [one for one in settings.connections.values() if one.port is Port.PROVIDER]
    unread = bool(settings.warnings) or not providers
    until = clock.now() + max([one.in_doubt_hold for one in providers] + [LONGEST_HOLD] * unread)
    with only_daemon(place), progress("copying", "MB", per=1e6) as line:
        if source is not None and isinstance(place, Path):
            done = copies.restore(source, place, frozen_until=until, now=time.time(), progress=line)
        else:
            done = copies.Restored(generation=Ledger.change(place, copies.mark_restored, until), aside=())
    if as_json:
        print_json({"ledger": str(place), "frozen_until": until, **asdict(done)})
        return
    for one in done.aside:
        tell(f"what stood there before is now {one}")
    tell(f"{place} is restored (generation {done.generation}); nothing is bought before {when(until)} UTC")


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
    settings, _ = settings_from(config, secrets=False)
    with reading(settings.ledger.place) as tx:
        freeze = upkeep.freeze(tx, now=compose.clock_of(settings).now())
    thawed = yes and freeze is not None
    if thawed:
        Ledger.change(settings.ledger.place, upkeep.thaw)
    if as_json:
        print_json({"frozen": None if freeze is None else asdict(freeze), "thawed": thawed})
        return
    if freeze is None:
        tell("Nothing is frozen.")
        return
    copied = f" of {when(freeze.copied_at)} UTC" if freeze.copied_at else ""
    tell(
        f"The ledger was restored from a copy{copied}, and knows of no call since: so nothing is bought "
        f"before {when(freeze.until)} UTC."
    )
    tell(
        f"{freeze.waiting} jobs wait to be asked about. Those that were asked about after the copy was made "
        "and are not answered yet would be paid a second time."
    )
    tell("Buying goes on." if thawed else "To buy at once all the same: syncd thaw --yes")


def verify(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Is the ledger sound, and does it add up? Integrity, history, counters, credits, balances.

    Exit 1 if anything is off. A balance that moved otherwise than the charges say is told, and is no
    fault of the ledger: see `syncd reconcile`.

    \b
    Examples:
      syncd verify
      syncd verify --json
    """
    settings, _ = settings_from(config, secrets=False)
    with reading(settings.ledger.place) as tx:
        with progress("verifying", "checks") as line:
            off = list(upkeep.problems(settings.ledger.place, tx, line))
        balances = reconciliation.report(tx)
    if as_json:
        print_json({"ok": not off, "problems": off, "balances": balances})
    else:
        complain(off, "ledger-damaged" if off else "")
        show_reconciliation(balances)
        tell("" if off else "The ledger is sound and adds up.")
    raise typer.Exit(1 if off else 0)


def reconcile(
    config: ConfigOption = None,
    *,
    accept: Annotated[
        str | None,
        typer.Option(
            metavar="CONNECTION", autocompletion=connections, help="Its difference is known: measure anew from now on."
        ),
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
    settings, _ = settings_from(config, secrets=False)
    if accept is not None and not Ledger.change(settings.ledger.place, reconciliation.accept, accept):
        raise typer.BadParameter(f"no balance is known of a connection called {accept}")
    with reading(settings.ledger.place) as tx:
        balances = reconciliation.report(tx)
    if as_json:
        print_json({"balances": balances})
        return
    show_reconciliation(balances)
    if not balances:
        tell("No balance is known yet: the daemon looks once a minute.")
    elif not any(reconciliation.in_words(one) for one in balances.values()):
        tell("All balances move as the charges say.")
