"""Commands for values that wait for a person: review list, show, accept, refuse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from syncd import compose
from syncd.actions import reviewing
from syncd.config import Settings
from syncd.contract.errors import SyncdError
from syncd.ledger import reviews
from syncd.ledger.reviews import Outline, Review
from syncd.ledger.store import Ledger, reading
from syncd.registry import Registry

from .completion import connections, syncs
from .contacts import FilterOption, said_of_usage
from .output import ConfigOption, JsonOption, print_json, say, settings_from, table, tell, when
from .prices import listed_prices
from .who import operator

review_app = typer.Typer(
    no_args_is_help=True,
    short_help="Values that wait for your decision.",
    help="Values that are to be approved, or of which it is doubtful whether they are the contact's. They were paid "
    "for, and nothing is written until you decide (a doubtful one: or until review_within is over, then the next "
    "provider is asked).",
)

Filters = tuple[str | None, str | None, str | None, str | None, str | None]
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]…", help="As `syncd review list` shows them.")]
SyncFilter = Annotated[str | None, typer.Option("--sync", autocompletion=syncs, help="Only those of this sync.")]
FieldFilter = Annotated[str | None, typer.Option("--field", help="Only e-mails, or only phones: email, phone.")]
ProviderFilter = Annotated[
    str | None, typer.Option("--provider", autocompletion=connections, help="Only those of this provider.")
]
_LEAST = ["until (UTC)", "found (UTC)", "credits", "grade", "provider", "why"]  # where a terminal is narrow
ReasonFilter = Annotated[str | None, typer.Option("--why", help="Only those whose reason holds these words.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that wait.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it. Without it, only what would be done is shown.")]
SetOption = Annotated[
    str | None, typer.Option("--set", metavar="MARK", help="With --yes: exactly those that were shown with this mark.")
]
Unmasked = Annotated[bool, typer.Option("--unmasked", help="Show values in full.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    review_app.command("list")(list_)
    review_app.command("show")(show)
    review_app.command("accept")(accept)
    review_app.command("refuse")(refuse)
    app.add_typer(review_app, name="review")


def list_(
    config: ConfigOption = None,
    *,
    sync: SyncFilter = None,
    field: FieldFilter = None,
    provider: ProviderFilter = None,
    why: ReasonFilter = None,
    query: FilterOption = None,
    unmasked: Unmasked = False,
    as_json: JsonOption = False,
) -> None:
    """What waits for a decision, and what speaks against each.

    \b
    Examples:
      syncd review list
      syncd review list --why "another profile" --unmasked
    """
    settings, registry = settings_from(config, secrets=False)
    chosen = _chosen(settings, registry, _which([], (sync, field, provider, why, query)))
    if as_json:
        print_json([_masked(one, unmasked=unmasked) for one in chosen])
        return
    heads = ["id", "contact", "field", "now", "value", "provider", "grade", "credits", "found (UTC)"]
    heads += ["why", "until (UTC)"]
    table("Waiting for you", heads, (_row(one, unmasked=unmasked) for one in chosen), _LEAST)
    if chosen:
        tell("Look at one: syncd review show ID    Decide: syncd review accept ID …, syncd review refuse ID …")
    else:
        tell("Nothing waits for you.")


def show(
    id_: Annotated[int, typer.Argument(metavar="ID", help="As `syncd review list` shows it.")],
    config: ConfigOption = None,
    *,
    unmasked: Unmasked = False,
    as_json: JsonOption = False,
) -> None:
    """One value with both identities side by side: the contact's, and whom the answer speaks of.

    \b
    Example:
      syncd review show 17
    """
    settings, registry = settings_from(config, secrets=False)
    one = next((one for one in _waiting(settings, registry) if one.id == id_), None)
    if one is None:
        raise SyncdError(f"nothing called {id_} waits for a decision; `syncd review list` shows what does")
    if as_json:
        print_json(_masked(one, unmasked=unmasked))
        return
    value = one.value if unmasked else mask(one.value)
    say(f"{one.ref}  {one.field}", f"  {_now_there(one, unmasked=unmasked)} → {value}")
    say("", f"{one.grade} by {one.provider} at {when(one.found_at)} UTC, credits: {_cost(one)}; waits for: {one.why}")
    table("", ["", "the contact", "the answer"], _side_by_side(one, unmasked=unmasked))
    table("", ["speaks for it", "speaks against it"], [["; ".join(one.speaks_for), "; ".join(one.speaks_against)]])
    tell(f"Decide: syncd review accept {one.id}, or syncd review refuse {one.id}")


def accept(
    ids: Ids = None,
    config: ConfigOption = None,
    *,
    every: AllOption = False,
    sync: SyncFilter = None,
    field: FieldFilter = None,
    provider: ProviderFilter = None,
    why: ReasonFilter = None,
    query: FilterOption = None,
    yes: YesOption = False,
    mark: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """It is the contact's: write it, through the same guards as any value.

    \b
    Examples:
      syncd review accept 17
      syncd review accept --why "another profile"
      syncd review accept --why approval
      syncd review accept --why approval --yes --set 1f6a0c3e
    """
    chosen = _Chosen(ids or (), (sync, field, provider, why, query), every=every, mark=mark)
    _decide(config, reviews.ACCEPTED, chosen, yes=yes, as_json=as_json)


def refuse(
    ids: Ids = None,
    config: ConfigOption = None,
    *,
    every: AllOption = False,
    sync: SyncFilter = None,
    field: FieldFilter = None,
    provider: ProviderFilter = None,
    why: ReasonFilter = None,
    query: FilterOption = None,
    yes: YesOption = False,
    mark: SetOption = None,
    reason: Annotated[str, typer.Option(help="Why, for the contact's history: wrong person, wrong format …")] = "",
    as_json: JsonOption = False,
) -> None:
    """It is not wanted, or somebody else's: it is never written for this contact, and the next provider is asked.

    \b
    Examples:
      syncd review refuse 17 18 --reason "wrong person"
      syncd review refuse --provider NAME --all --yes
    """
    chosen = _Chosen(ids or (), (sync, field, provider, why, query), every=every, mark=mark)
    _decide(config, reviews.REFUSED, chosen, yes=yes, as_json=as_json, reason=reason)


class _Chosen(NamedTuple):
    """What was said of those that are meant. `mark`: of the set that was shown."""

    ids: Sequence[int]
    filters: Filters
    every: bool
    mark: str | None


def _decide(config: Path | None, decision: str, wanted: _Chosen, *, yes: bool, as_json: bool, reason: str = "") -> None:
    """Named one by one it is done at once; by filter, what would be done is shown first."""
    if not wanted.ids and not wanted.every and not any(wanted.filters):
        raise typer.BadParameter("say which: ids, a filter, or --all")
    settings, _ = settings_from(config, secrets=False)
    chosen = _outlined(settings, _which(wanted.ids, wanted.filters))
    unknown = sorted(set(wanted.ids) - {one.id for one in chosen})
    if unknown:
        raise SyncdError(f"nothing called {unknown[0]} waits for a decision; `syncd review list` shows what does")
    mark = reviewing.mark_of(chosen)
    if wanted.mark not in (None, mark):
        raise SyncdError(
            f"{len(chosen)} fit now, and they are not the ones that were shown as {wanted.mark}: look at them again; "
            "nothing was decided"
        )
    done = yes or bool(wanted.ids)
    decided = _carry_out(settings, chosen, decision, reason) if done and chosen else 0
    if as_json:
        told = {"decision": decision, "done": done, "decided": decided, "set": mark}
        print_json({**told, "counts": reviewing.counts(chosen), "ids": [one.id for one in chosen]})
        return
    counts = sorted(reviewing.counts(chosen).items())
    table("", ["sync", "field", "provider", "values"], ([*key.split("/"), n] for key, n in counts))
    told_ = f"{decided} {decision}" if done else f"{len(chosen)} would be {decision}: add --yes to do it"
    tell(told_ if chosen else "Nothing waits that is like this.")
    if chosen and not done:
        tell(f"Exactly these, whatever comes meanwhile: add --yes --set {mark}")
    if done and decided < len(chosen):
        tell(f"{len(chosen) - decided} had changed meanwhile, and wait on: look at them again.")


def _carry_out(settings: Settings, chosen: Sequence[Outline], decision: str, reason: str) -> int:
    """Only what waits as it was shown is decided. Returns how many that were."""
    shown = reviewing.shown(chosen)
    now = compose.clock_of(settings).now()
    place, by = settings.ledger.place, operator()
    return Ledger.change(place, reviews.decide, list(shown), decision, by, now=now, shown=shown, reason=reason)


def _waiting(settings: Settings, registry: Registry) -> list[Review]:
    with reading(settings.ledger.place) as tx:
        return reviews.waiting(tx, listed_prices(settings, registry))


def _which(ids: Sequence[int], filters: Filters) -> reviewing.Which:
    sync, field, provider, why, query = filters
    return reviewing.Which(ids=ids, sync=sync, field=field, provider=provider, why=why, query=query)


def _outlined(settings: Settings, which: reviewing.Which) -> list[Outline]:
    with reading(settings.ledger.place) as tx, said_of_usage():
        return reviewing.outline(tx, which, now=compose.clock_of(settings).now())


def _chosen(settings: Settings, registry: Registry, which: reviewing.Which) -> list[Review]:
    """Those that fit all that was said; nothing said fits all."""
    with reading(settings.ledger.place) as tx, said_of_usage():
        prices = listed_prices(settings, registry)
        return reviewing.choose(tx, which, prices, now=compose.clock_of(settings).now())


def _row(one: Review, *, unmasked: bool) -> list[Any]:
    value = one.value if unmasked else mask(one.value)
    until = when(one.until) if one.until else "you decide"
    found = [one.provider, one.grade, _cost(one), when(one.found_at)]
    return [one.id, one.ref, one.field, _now_there(one, unmasked=unmasked), value, *found, one.why, until]


def _cost(one: Review) -> str:
    return "not known" if one.cost is None else f"{one.cost:g}"


def _now_there(one: Review, *, unmasked: bool) -> str:
    """What the value would replace."""
    if one.replaces_typed:
        return "a value that is not ours"
    return "(blank)" if not one.old else one.old if unmasked else mask(one.old)


def _masked(one: Review, *, unmasked: bool) -> dict[str, Any]:
    shown = one.as_json()
    return shown if unmasked else {**shown, "value": mask(one.value), "old": mask(one.old) if one.old else ""}


def _side_by_side(one: Review, *, unmasked: bool) -> list[list[str]]:
    keys = dict.fromkeys([*one.contact, *(key for said in one.answer for key in said)])
    return [
        [key.replace("_", " "), _text(one.contact.get(key)), " / ".join(_text(said.get(key)) for said in one.answer)]
        for key in keys
        if key not in {"phones"} or unmasked
    ]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def mask(value: str) -> str:
    """Enough to recognise it: `a…@example.com`, `+336…12`."""
    local, at, host = value.rpartition("@")
    if at:
        return f"{local[:1]}…@{host}"
    digits = re.sub(r"\s", "", value)
    return f"{digits[:4]}…{digits[-2:]}" if len(digits) > 6 else "…"
