"""What `syncd status` and `syncd show` look like to people: one table for each question they ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.config import ConditionKind
from syncd.ledger import budgets, reconciliation, runway
from syncd.words import of_job

from .output import say, table, when


def show_status(status: dict[str, Any]) -> None:
    """What is halted and how to mend it, then counts, credits, pulls."""
    if not status["running"]:
        seen = f"was last seen at {when(status['looked_at'])} UTC" if status["looked_at"] else "has not run yet"
        say("syncd does not run", f", or can't write its ledger: it {seen}. So it stood then:\n", style="red")
    _show_standings(status)
    for one in status["conditions"]:
        _show_condition(one)
    table("Jobs", ["sync", "field", "jobs", "state", "to find them"], map(_jobs, status["jobs"]), ["to find them"])
    _show_reviews(status)
    show_budgets(status.get("budgets", ()))
    show_balances(status.get("balances", {}))
    for name, one in status["reconciliation"].items():
        if words := reconciliation.in_words(one):
            say(name, f": {words}\n  → syncd reconcile\n", style="red" if one["difference"] else "yellow")
    heads = ["provider", "calls", "charged", "assumed", "reserved", "in doubt", "balance"]
    table("Credits", heads, (_spent(name, status) for name in status["credits"]), ["assumed", "calls"])
    heads = ["sync", "started (UTC)", "ended (UTC)", "contacts", "stale", "error"]
    pulls = (_pulled(name, run) for name, run in status["runs"].items())
    table("Last pull", heads, pulls, ["stale", "ended (UTC)"])
    table("Counted", ["what", "times"], status["tallies"].items())
    if not status["jobs"]:
        say("", "No job yet. `syncd run` starts the daemon, `syncd plan` shows what it would do.")


def _show_standings(status: Mapping[str, Any]) -> None:
    """The whole in a sentence, and each sync in a line; why it is so, where no condition says it."""
    if "sentence" not in status:
        return
    say(status["sentence"], "\n")
    told = [one["why"] for one in status["conditions"]]
    for name, one in status["syncs"].items():
        why = "" if any(one["why"].endswith(why) for why in told) else f": {one['why']}" if one["why"] else ""
        say(f"{one['sign']} {name}", f"  {one['state']}{why}")
    say("", "")


def _show_condition(one: Mapping[str, Any]) -> None:
    """One thing that is wrong now, or wants a person; values to be reviewed have a table of their own."""
    if one["kind"] == ConditionKind.REVIEW:
        return
    since = f" since {when(one['since'])}" if one["since"] else ""
    why = f"{since}: {one['why']} [{one['code']}]"
    say(f"{one['who']} {one['what']}", why, style="red" if one["blocks"] else "yellow")
    say("", f"  → {one['cure']}\n" if one["cure"] else "")


def show_budgets(used: Sequence[Mapping[str, Any]]) -> None:
    """How much of each cap is used: charged, counted as charged, and reserved at worst."""
    for one in used:
        say(one["budget"], f": {budgets.in_words(one)}", style="yellow" if one["reached"] else "bold")
    if used:
        say("", "")


def show_balances(balances: Mapping[str, Mapping[str, Any]]) -> None:
    """How long each balance lasts."""
    told = [(name, words) for name, one in balances.items() if (words := runway.in_words(one))]
    for name, words in told:
        say(name, f": {words}")
    if told:
        say("", "")


def show_reconciliation(balances: dict[str, dict[str, Any]]) -> None:
    """Each provider's balance beside the charges, and what is to be said of it."""
    heads = ["provider", "since (UTC)", "until (UTC)", "balance", "bought", "charged here", "open", "difference"]
    kinds = ("balance", "bought", "charged", "open", "difference")
    rows = ([name, when(one["since"]), when(one["until"]), *(one[k] for k in kinds)] for name, one in balances.items())
    table("Balances", heads, rows)
    for name, one in balances.items():
        if words := reconciliation.in_words(one):
            say(name, f": {words}", style="red" if one["difference"] else "yellow")


def _show_reviews(status: dict[str, Any]) -> None:
    reviews = status["reviews"]
    if reviews["waiting"]:
        say(f"{reviews['waiting']} values wait for you", f" since {when(reviews['since'])} UTC", style="yellow")
        table("", ["because", "values"], reviews["why"].items())
        say("", "  → syncd review list\n")
    if status["shared_by_two_names"]:
        what = "hold a profile or a mailbox that stands under two names: it identifies nobody"
        say(f"{status['shared_by_two_names']} contacts", f" {what}", style="yellow")
        say("", "  → `syncd show` names it for each of them; correct it in the CRM\n")


def show_runs(runs: Sequence[Mapping[str, Any]]) -> None:
    """A line for each run. Of an undo, `contacts` is the number of values that were to be put back."""
    heads = ["run", "kind", "sync", "started (UTC)", "ended (UTC)", "contacts", "written", "put back", "open", "note"]
    kinds = ("contacts", "written", "undone", "open")
    rows = (
        [one["id"], one["kind"], one["sync"], when(one["started_at"]), when(one["ended_at"])]
        + [one[kind] for kind in kinds]
        + [one["error"] or one["note"]]
        for one in runs
    )
    table("Runs", heads, rows, ["ended (UTC)", "open", "put back", "kind"])
    if not runs:
        say("", "Nothing has run yet.")


def show_journey(journey: dict[str, Any]) -> None:
    """One contact: what was known, then each field with its events, calls, answers and writes."""
    say(journey["contact"], f"  sync {journey['sync']}, pulled {when(journey['pulled_at'])} UTC")
    say("", "known: " + ", ".join(f"{key} {value}" for key, value in journey["known"].items()) + "\n")
    if journey["identifies_nobody"]:
        say("", "identifies nobody, for it stands under two names: " + ", ".join(journey["identifies_nobody"]) + "\n")
    for job in journey["jobs"]:
        _show_job(job)


def _show_job(job: dict[str, Any]) -> None:
    say(job["field"], f"  {of_job(job['state'], job['reason']).marked}" + (f"  ({job['note']})" if job["note"] else ""))
    table("", ["when (UTC)", "move", "provider", "note"], (_event(event) for event in job["events"]))
    heads = ["when (UTC)", "provider", "state", "people", "reserved", "charged", "its part", "deliveries"]
    table("Calls", heads, (_call(call) for call in job["calls"]))
    heads = ["when (UTC)", "provider", "outcome", "candidates", "whose", "for", "against"]
    table("Answers", heads, (_answer(one) for one in job["answers"]))
    heads = ["when (UTC)", "run", "property", "before", "after", "came to", "found", "allowed by", "credits"]
    table("Writes", heads, (_write(write) for write in job["writes"]))
    if job["same_person"]:
        say("", "the same person: " + ", ".join(job["same_person"]) + "\n")


def _jobs(row: Mapping[str, Any]) -> list[Any]:
    """So many jobs, and the words by which `syncd contacts` finds them."""
    found = f"reason:{row['reason']}" if row["reason"] else f"state:{row['state']}"
    return [row["sync"], row["field"], row["n"], of_job(row["state"], row["reason"]).marked, found]


def _spent(name: str, status: dict[str, Any]) -> list[Any]:
    spent = status["credits"][name]
    balance = status["connections"].get(name, {}).get("balance")
    return [name, *(spent[key] for key in ("submissions", "charged", "assumed", "reserved", "in_doubt")), balance]


def _pulled(name: str, run: dict[str, Any]) -> list[Any]:
    return [name, when(run["started_at"]), when(run["ended_at"]), run["contacts"], run["stale"], run["error"]]


def _event(event: dict[str, Any]) -> list[Any]:
    move = f"{event['source'] or 'new'} → {event['target']}"
    return [when(event["at"]), move, event["provider"], event["note"] or event["reason"]]


def _call(call: dict[str, Any]) -> list[Any]:
    facts = [call[key] for key in ("provider", "state", "requests", "reserved", "charged", "cost")]
    return [when(call["at"]), *facts, len(call["deliveries"])]


def _answer(answer: dict[str, Any]) -> list[Any]:
    candidates = ", ".join(f"{one['value']} ({one['grade']})" for one in answer["candidates"])
    whose = answer["decision"] or answer["verdict"]
    reasons = ["; ".join(answer[key]) for key in ("speaks_for", "speaks_against")]
    return [when(answer["at"]), answer["provider"], answer["outcome"], candidates or answer["note"], whose, *reasons]


def _write(write: dict[str, Any]) -> list[Any]:
    came_to = [write["note"] or write["state"], *(_undone(write["undo"]) if write["undo"] else ())]
    allowed = ", ".join(filter(None, (write["policy"], write["accepted_by"])))
    before = write["before"] or "(blank)"
    told = [write["run"], write["property"], before, write["after"], "; ".join(came_to), write["found"], allowed]
    return [when(write["at"]), *told, "not known" if write["cost"] is None else f"{write['cost']:g}"]


def _undone(undo: Mapping[str, Any]) -> list[str]:
    words = {"undone": "put back", "asked": "to be put back", "intent": "being put back"}
    told = words.get(undo["state"], f"left as it is: {undo['note']}")
    return [f"run {undo['run']} at {when(undo['at'])} UTC: {told}"]
