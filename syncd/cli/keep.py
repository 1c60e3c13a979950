"""Commands that look after the ledger: backup, restore, verify, in-doubt."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from syncd import compose
from syncd.contract.errors import SyncdError
from syncd.ledger import submissions, upkeep
from syncd.ledger.states import SubmissionState
from syncd.ledger.store import Ledger, Tx, reading

from .output import ConfigOption, JsonOption, complain, out, print_json, settings_from, table, when
from .work import only_daemon

doubt_app = typer.Typer(
    no_args_is_help=True,
    short_help="Paid calls that may not have arrived.",
    help="Paid calls of which nobody can say whether they were carried out.",
)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("backup", short_help="A sound copy of the ledger, while the daemon runs.")(backup)
    app.command("restore", short_help="Put a copy in the ledger's place.")(restore)
    app.command("verify", short_help="Is the ledger sound, and does it add up?")(verify)
    doubt_app.command("list")(doubt_list)
    doubt_app.command("resolve")(doubt_resolve)
    app.add_typer(doubt_app, name="in-doubt")


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
    doubtful call is held (in_doubt.hold); answers that come in meanwhile are recognised and kept.
    """
    settings, _ = settings_from(config)
    hold = max(connection.in_doubt_hold for connection in settings.connections.values())
    until = compose.clock_of(settings).now() + hold
    with only_daemon(settings.ledger.path):
        generation = upkeep.restore(source, settings.ledger.path, frozen_until=until)
    out.print(
        f"{settings.ledger.path} is restored (generation {generation}); nothing is bought before {when(until)} UTC"
    )


def verify(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Is the ledger sound, and does it add up? Integrity, history, counters, credits, balances.

    Exit 1 if anything is off. Balances are compared from the first time they were seen: others who use
    the same account show up as a difference, which is told but is no fault. Of what is open, the provider
    may have charged some already.
    """
    settings, _ = settings_from(config)
    with reading(settings.ledger.path) as tx:
        off = list(upkeep.problems(settings.ledger.path, tx))
        balances = {name: upkeep.drift(tx, name) for name in settings.connections}
    known = {name: drift for name, drift in balances.items() if drift is not None}
    if as_json:
        print_json({"ok": not off, "problems": off, "balances": known})
    else:
        complain(off)
        table(
            "Balances",
            ["provider", "since (UTC)", "added", "gone", "charged here", "difference", "open"],
            (
                [name, when(d["since"]), *(d[key] for key in ("added", "gone", "charged", "drift", "open"))]
                for name, d in known.items()
            ),
        )
        out.print("" if off else "The ledger is sound and adds up.")
    raise typer.Exit(1 if off else 0)


def doubt_list(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """What is in doubt, since when, and how many credits are at risk."""
    settings, _ = settings_from(config)
    with reading(settings.ledger.path) as tx:
        doubts = submissions.doubts(tx)
    if as_json:
        print_json([asdict(one) for one in doubts])
        return
    table(
        "In doubt",
        ["call", "provider", "since (UTC)", "people", "credits at risk", "held until", "why"],
        ([d.id, d.provider, when(d.since), d.requests, d.reserved, when(d.hold_until), d.note] for d in doubts),
    )
    if doubts:
        out.print(
            "An answer resolves each by itself. Else look it up at the provider, then: syncd in-doubt resolve CALL …"
        )
    else:
        out.print("Nothing is in doubt.")


def doubt_resolve(
    call: Annotated[str, typer.Argument(help="As `syncd in-doubt list` shows it.")],
    config: ConfigOption = None,
    *,
    not_sent: Annotated[
        bool, typer.Option("--not-sent", help="It never arrived: release its credits, ask again.")
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Don't ask this provider again; the credits stay counted.")
    ] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Ask once more, although it may be paid twice.")] = False,
) -> None:
    """Decide what a doubtful call came to. The decision stands in the history of each contact.

    Example:  syncd in-doubt resolve 3f2a… --not-sent
    """
    if not_sent + give_up + resend != 1:
        raise typer.BadParameter("say exactly one of --not-sent, --give-up, --resend")
    settings, _ = settings_from(config)
    now = compose.clock_of(settings).now()
    decision = "never arrived" if not_sent else "given up" if give_up else "sent once more"
    Ledger.change(settings.ledger.path, _resolve, call, decision, now=now)
    out.print(f"{call}: {decision}")


def _resolve(tx: Tx, call: str, decision: str, *, now: float) -> None:
    if call not in {doubt.id for doubt in submissions.doubts(tx)}:
        raise SyncdError(f"nothing called {call} is in doubt; `syncd in-doubt list` shows what is")
    note = f"the operator decided: {decision}"
    match decision:
        case "never arrived":
            submissions.not_sent(tx, call, note, now=now)
        case "given up":
            submissions.expire(tx, call, SubmissionState.IN_DOUBT, note, now=now)
        case _:
            submissions.resend(tx, call, note, now=now)
