"""Commands for values that wait for a person: review list, show, accept, refuse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from syncd import compose
from syncd.config import Settings
from syncd.contract.errors import SyncdError
from syncd.ledger import reviews, search
from syncd.ledger.reviews import Review
from syncd.ledger.store import Ledger, reading

from .completion import connections, syncs
from .contacts import FilterOption, wanted_from
from .output import ConfigOption, JsonOption, print_json, say, settings_from, table, tell, when

review_app = typer.Typer(
    no_args_is_help=True,
    short_help="Values that wait for your decision.",
    help="Values of which it is doubtful whether they are the contact's. They were paid for, and nothing is written "
    "until you decide (or until review_within is over: then the next provider is asked).",
)

Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]…", help="As `syncd review list` shows them.")]
SyncFilter = Annotated[str | None, typer.Option("--sync", autocompletion=syncs, help="Only those of this sync.")]
FieldFilter = Annotated[str | None, typer.Option("--field", help="Only e-mails, or only phones: email, phone.")]
ProviderFilter = Annotated[
    str | None, typer.Option("--provider", autocompletion=connections, help="Only those of this provider.")
]
ReasonFilter = Annotated[str | None, typer.Option("--why", help="Only those whose reason holds these words.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that wait.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it. Without it, only what would be done is shown.")]
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
    settings, _ = settings_from(config, secrets=False)
    chosen = _chosen(settings, [], (sync, field, provider, why, query))
    if as_json:
        print_json([_masked(one, unmasked=unmasked) for one in chosen])
        return
    heads = ["id", "contact", "field", "value", "provider", "against", "until (UTC)"]
    table("Waiting for you", heads, (_row(one, unmasked=unmasked) for one in chosen))
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
    settings, _ = settings_from(config, secrets=False)
    one = next((one for one in _waiting(settings) if one.id == id_), None)
    if one is None:
        raise SyncdError(f"nothing called {id_} waits for a decision; `syncd review list` shows what does")
    if as_json:
        print_json(_masked(one, unmasked=unmasked))
        return
    say(f"{one.ref}  {one.field}", f"  {one.value if unmasked else mask(one.value)} by {one.provider}")
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
    as_json: JsonOption = False,
) -> None:
    """It is the contact's: write it, through the same guards as any value.

    \b
    Examples:
      syncd review accept 17
      syncd review accept --why "another profile"
      syncd review accept --why "another profile" --yes
    """
    _decide(config, reviews.ACCEPTED, ids, every, (sync, field, provider, why, query), yes=yes, as_json=as_json)


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
    as_json: JsonOption = False,
) -> None:
    """It is somebody else's: it is never written for this contact, and the next provider is asked.

    \b
    Examples:
      syncd review refuse 17 18
      syncd review refuse --provider NAME --all --yes
    """
    _decide(config, reviews.REFUSED, ids, every, (sync, field, provider, why, query), yes=yes, as_json=as_json)


Filters = tuple[str | None, str | None, str | None, str | None, str | None]


def _decide(
    config: Any, decision: str, ids: Sequence[int] | None, every: bool, filters: Filters, *, yes: bool, as_json: bool
) -> None:
    """Named one by one it is done at once; by filter, what would be done is shown first."""
    if not ids and not every and not any(filters):
        raise typer.BadParameter("say which: ids, a filter, or --all")
    settings, _ = settings_from(config, secrets=False)
    chosen = _chosen(settings, ids or [], filters)
    unknown = sorted(set(ids or ()) - {one.id for one in chosen})
    if unknown:
        raise SyncdError(f"nothing called {unknown[0]} waits for a decision; `syncd review list` shows what does")
    done = yes or bool(ids)
    if done and chosen:
        now = compose.clock_of(settings).now()
        by = "the operator"
        Ledger.change(settings.ledger.path, reviews.decide, [one.id for one in chosen], decision, by, now=now)
    if as_json:
        print_json({"decision": decision, "done": done, "counts": _counts(chosen), "ids": [one.id for one in chosen]})
        return
    table("", ["sync", "field", "provider", "values"], ([*key.split("/"), n] for key, n in _counts(chosen).items()))
    said = f"{len(chosen)} {decision}" if done else f"{len(chosen)} would be {decision}: add --yes to do it"
    tell(said if chosen else "Nothing waits that is like this.")


def _waiting(settings: Settings) -> list[Review]:
    with reading(settings.ledger.path) as tx:
        return reviews.waiting(tx)


def _chosen(settings: Settings, ids: Sequence[int], filters: Filters) -> list[Review]:
    """Those that fit all that was said; nothing said fits all."""
    sync, field, provider, why, query = filters
    wanted = wanted_from(query, now=compose.clock_of(settings).now())
    with reading(settings.ledger.path) as tx:
        waiting = reviews.waiting(tx)
        found = search.fields_of(tx, wanted) if query else None
    return [
        one
        for one in waiting
        if (not ids or one.id in ids)
        and (sync in (None, one.sync))
        and (field in (None, one.field))
        and (provider in (None, one.provider))
        and (why is None or why.casefold() in one.why.casefold())
        and (found is None or (one.ref, one.field) in found)
    ]


def _counts(chosen: Iterable[Review]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in chosen:
        key = f"{one.sync}/{one.field}/{one.provider}"
        counts[key] = counts.get(key, 0) + 1
    return counts


def _row(one: Review, *, unmasked: bool) -> list[Any]:
    value = one.value if unmasked else mask(one.value)
    until = when(one.until) if one.until else "you decide"
    return [one.id, one.ref, one.field, value, one.provider, one.why, until]


def _masked(one: Review, *, unmasked: bool) -> dict[str, Any]:
    shown = one.as_json()
    return shown if unmasked else {**shown, "value": mask(one.value)}


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
