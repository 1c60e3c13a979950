"""`syncd in-doubt`: paid calls that may not have arrived, and calls of which nobody told the price."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer

from syncd import compose, filters
from syncd.actions import doubts
from syncd.actions.doubts import Which
from syncd.config import Settings
from syncd.contract.errors import SyncdError
from syncd.contract.ports import ProviderCapabilities
from syncd.ledger import glances
from syncd.ledger.store import Ledger, reading
from syncd.ledger.submissions import Doubt
from syncd.ledger.unpriced import Unpriced
from syncd.registry import Registry

from .completion import connections, syncs
from .contacts import FilterOption, said_of_usage
from .output import ConfigOption, JsonOption, print_json, settings_from, table, tell, when

SHOWN = 3  # contacts of a call in the table
SHOWN_ASIDE = 50  # answers that were set aside, the newest
_LAST = 1 << 62
CHUNK = 200  # calls that are decided on in one transaction: the daemon writes in between
group = typer.Typer(
    no_args_is_help=True,
    short_help="Paid calls that may not have arrived.",
    help="Paid calls of which nobody can say whether they were carried  or (--expired) what they cost.",
)

ExpiredOption = Annotated[
    bool, typer.Option("--expired", help="Calls that are over without a price, instead of those in doubt.")
]
ProviderFilter = Annotated[
    str | None, typer.Option("--provider", autocompletion=connections, help="Only of this connection.")
]
SyncFilter = Annotated[str | None, typer.Option("--sync", autocompletion=syncs, help="Only of this sync.")]
SinceFilter = Annotated[
    str | None, typer.Option(help="Only calls made since then: 2026-11-27T08:30 (UTC), or 2h for two hours ago.")
]
UntilFilter = Annotated[str | None, typer.Option(help="Only calls made until then, in the same form.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(group, name="in-doubt")


@group.command("list")
def doubt_list(
    config: ConfigOption = None,
    *,
    expired: ExpiredOption = False,
    aside: Annotated[
        bool, typer.Option("--set-aside", help="Instead: the newest answers that are kept and not believed.")
    ] = False,
    provider: ProviderFilter = None,
    sync: SyncFilter = None,
    since: SinceFilter = None,
    until: UntilFilter = None,
    query: FilterOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is in doubt, since when, and how many credits are at risk.

    With --expired: the calls that are over without a price, and whether they count as charged already.

    \b
    Examples:
      syncd in-doubt list
      syncd in-doubt list --provider finder --since 2d
      syncd in-doubt list --expired --json
      syncd in-doubt list --set-aside
    """
    settings, _ = settings_from(config, secrets=False)
    if aside:
        _show_set_aside(settings, as_json=as_json)
        return
    now = compose.clock_of(settings).now()
    which = Which(provider=provider, sync=sync, since=_moment(since, now), until=_moment(until, now), query=query)
    calls, about = _calls(settings, which, expired=expired)
    if as_json:
        print_json([doubts.as_json(one, about) for one in calls])
        return
    heads = ["call", "provider", "since (UTC)", "contacts", "credits at risk"]
    length = _telling([one.id for one in calls])

    def short(call: Doubt | Unpriced) -> str:
        return call.id[:length]

    if expired:
        table(
            "Without a price",
            [*heads, "counts as", "why"],
            (
                [
                    short(c),
                    c.provider,
                    when(c.since),
                    _some(about[c.id]),
                    c.at_risk,
                    "charged" if c.assumed else "reserved",
                    c.note,
                ]
                for c in calls
                if isinstance(c, Unpriced)
            ),
        )
        tell(
            "Look them up at the provider, then: syncd in-doubt resolve --expired CALL … --charged N"
            if calls
            else "Every call that is over has its price."
        )
        return
    table(
        "In doubt",
        [*heads, "held until", "why"],
        (
            [short(c), c.provider, when(c.since), _some(about[c.id]), c.reserved, when(c.hold_until), c.note]
            for c in calls
            if isinstance(c, Doubt)
        ),
    )
    tell(
        "An answer resolves each by itself. Else look it up at the provider, then: syncd in-doubt resolve CALL …"
        if calls
        else "Nothing is in doubt."
    )


@group.command("resolve")
def doubt_resolve(
    calls: Annotated[
        list[str] | None, typer.Argument(help="As `syncd in-doubt list` shows them, or the beginning of each.")
    ] = None,
    config: ConfigOption = None,
    *,
    sent: Annotated[bool, typer.Option("--sent", help="It arrived: wait for its answer as for any other's.")] = False,
    not_sent: Annotated[
        bool, typer.Option("--not-sent", help="It never arrived: release its credits, ask again.")
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Don't ask this provider again; the credits stay counted.")
    ] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Ask once more, although it may be paid twice.")] = False,
    expired: ExpiredOption = False,
    charged: Annotated[str | None, typer.Option(help="With --expired: so many credits were charged for each.")] = None,
    not_charged: Annotated[bool, typer.Option("--not-charged", help="With --expired: nothing was charged.")] = False,
    provider: ProviderFilter = None,
    sync: SyncFilter = None,
    since: SinceFilter = None,
    until: UntilFilter = None,
    query: FilterOption = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it, a filter only shows what would be done.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide what doubtful calls came to. The decision stands in the history of each contact.

    Named one by one it is done at once; by a filter, what would be done is shown first.

    \b
    Examples:
      syncd in-doubt resolve 3f2a… --not-sent
      syncd in-doubt resolve --filter "acme since:2h" --not-sent
      syncd in-doubt resolve --provider finder --since 2h --not-sent --yes
      syncd in-doubt resolve --expired --provider finder --not-charged --yes
    """
    settings, registry = settings_from(config, secrets=False)
    now = compose.clock_of(settings).now()
    which = Which(provider=provider, sync=sync, since=_moment(since, now), until=_moment(until, now), query=query)
    if bool(calls) == (every or which != Which()):
        raise typer.BadParameter(
            "say which: calls, or a filter (--provider, --sync, --since, --until, --filter), or --all"
        )
    if provider is not None and provider not in settings.connections:
        raise typer.BadParameter(f"no connection is called {provider}")
    said = {doubts.SENT: sent, doubts.NOT_SENT: not_sent, doubts.GIVE_UP: give_up, doubts.RESEND: resend}
    chosen = {f"--{what}": wanted for what, wanted in said.items()}
    priced = {"--charged": charged is not None, "--not-charged": not_charged}
    _exactly_one(priced if expired else chosen, chosen if expired else priced, expired=expired)
    if expired:
        decision = doubts.priced(Decimal(0) if not_charged else _amount(charged))
    else:
        what = next(what for what, wanted in said.items() if wanted)
        decision = doubts.decided(what, _answer_within(settings, registry))
    known, _ = _calls(settings, which, expired=expired)
    found = _chosen(known, calls or [], expired=expired)
    done = (yes or bool(calls)) and bool(found)
    if done:
        for first in range(0, len(found), CHUNK):
            Ledger.change(settings.ledger.place, doubts.carry_out, found[first : first + CHUNK], decision, now)
    _tell(found, decision, done=done, as_json=as_json)


def _show_set_aside(settings: Settings, *, as_json: bool) -> None:
    with reading(settings.ledger.place) as tx:
        found = glances.set_aside(tx, before=_LAST, limit=SHOWN_ASIDE)
    if as_json:
        print_json(found)
        return
    rows = ([one["id"], one["provider"], one["note"], one["source"], when(one["received_at"])] for one in found)
    table("Set aside", ["answer", "provider", "why", "came by", "since (UTC)"], rows)
    tell("They are kept and not believed: nothing of them is written." if found else "Every answer could be read.")


def _telling(ids: Sequence[str]) -> int:
    """So many characters tell one from another."""
    longest = max(map(len, ids), default=8)
    return next(
        n for n in range(min(8, longest), longest + 1) if n == longest or len({one[:n] for one in ids}) == len(ids)
    )


def _some(refs: Sequence[str]) -> str:
    return ", ".join(refs[:SHOWN]) + (f" and {len(refs) - SHOWN} more" if len(refs) > SHOWN else "")


def _moment(text: str | None, now: float) -> float | None:
    with said_of_usage():
        return None if text is None else filters.moment(text, now)


def _exactly_one(wanted: dict[str, bool], others: dict[str, bool], *, expired: bool) -> None:
    if sum(wanted.values()) != 1 or any(others.values()):
        kind = "with --expired" if expired else "without --expired"
        raise typer.BadParameter(f"{kind}, say exactly one of {', '.join(wanted)}")


def _calls(
    settings: Settings, which: Which, *, expired: bool
) -> tuple[Sequence[Doubt | Unpriced], dict[str, list[str]]]:
    """The calls that fit, and whom each is about."""
    with reading(settings.ledger.place) as tx, said_of_usage():
        return doubts.choose(tx, which, priced=expired, now=compose.clock_of(settings).now())


def _chosen(known: Sequence[Doubt | Unpriced], ids: Sequence[str], *, expired: bool) -> list[Doubt | Unpriced]:
    whole = {_whole(one, known, expired=expired) for one in ids}
    return [call for call in known if not ids or call.id in whole]


def _whole(start: str, known: Sequence[Doubt | Unpriced], *, expired: bool) -> str:
    """The one id that begins like this."""
    found = [call.id for call in known if call.id.startswith(start)]
    if start in found:
        return start
    if len(found) > 1:
        raise SyncdError(f"{start} is the beginning of {len(found)} calls; write more of it")
    if not found:
        what, where = ("is without a price", " --expired") if expired else ("is in doubt", "")
        raise SyncdError(f"nothing called {start} {what}; `syncd in-doubt list{where}` shows what is")
    return found[0]


def _tell(calls: Sequence[Doubt | Unpriced], decision: doubts.Decision, *, done: bool, as_json: bool) -> None:
    counts: dict[tuple[str, str], dict[str, Any]] = {}
    for call in calls:
        start = {"provider": call.provider, "sync": call.sync, "calls": 0, "people": 0, "credits": Decimal(0)}
        sums = counts.setdefault((call.provider, call.sync), start)
        sums["calls"] += 1
        sums["people"] += call.requests
        sums["credits"] += _at_risk(call)
    if as_json:
        ids = [call.id for call in calls]
        print_json({"decision": decision.words, "done": done, "counts": [*counts.values()], "calls": ids})
        return
    heads = ["provider", "sync", "calls", "people", "credits at risk"]
    table("", heads, ([*sums.values()] for sums in counts.values()))
    if not calls:
        tell("No call is like this.")
    elif done:
        tell(f"{len(calls)} call{'s' if len(calls) > 1 else ''}: {decision.words}")
    else:
        tell(f"{len(calls)} would be decided on: {decision.words}. Add --yes to do it.")


def _at_risk(call: Doubt | Unpriced) -> Decimal:
    return call.at_risk if isinstance(call, Unpriced) else call.reserved


def _answer_within(settings: Settings, registry: Registry) -> dict[str, float]:
    """For how long each provider's answers are waited for."""
    kinds = {name: registry.kind(one.connector).capabilities for name, one in settings.connections.items()}
    return {name: can.answer_within for name, can in kinds.items() if isinstance(can, ProviderCapabilities)}


def _amount(text: str | None) -> Decimal:
    try:
        return doubts.amount(text or "")
    except ValueError as error:
        raise typer.BadParameter(f"--charged: {error}") from None
