"""What is held on a person, in full; and for whom something was found lately. Read-only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import ContactRef

from . import forgetting, reports, suppressions
from .arrivals import unpacked
from .costs import Prices
from .results import in_full, load_identity
from .store import Tx

_TIMES = {"at", "since", "until"}


def person(tx: Tx, contacts: Sequence[int], prices: Prices) -> dict[str, Any]:
    """All records of a person with their journeys, what providers were told, and their raw answers."""
    rows = tx.rows("contacts_by_id", ids=dump(contacts))
    refs = [ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]) for row in rows]
    left_alone = suppressions.of_contacts(tx, contacts)
    return {
        "records": [_readable(reports.journey(tx, ref, prices)) for ref in refs],
        "told_to_providers": [_readable(one) for one in _told(tx, contacts)],
        "raw_answers": [_readable(one) for one in _raw(tx, contacts)],
        "suppressed": sorted(set(left_alone.values())),
    }


def _told(tx: Tx, contacts: Sequence[int]) -> Iterator[dict[str, Any]]:
    for job in tx.rows("forget_jobs", ids=dump(contacts)):
        for row in tx.rows("attempts_of_job", job_id=job["id"]):
            told = in_full(parse(row["asked"] or "{}"))
            yield {"provider": row["provider"], "at": row["created_at"], "field": job["field"], "told": told}


def _raw(tx: Tx, contacts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Of an answer that speaks of others, too, only what concerns this person."""
    jobs = [row["id"] for row in tx.rows("forget_jobs", ids=dump(contacts))]
    requests: dict[str, set[str]] = {}
    shared = set()
    for call in tx.rows("forget_calls", jobs=dump(jobs)):
        requests.setdefault(call["submission_id"], set()).add(call["request_id"])
        shared |= {call["submission_id"]} if call["shared"] else set()
    for submission_id, ids in requests.items():
        for row in tx.rows("forget_deliveries", submission_id=submission_id):
            if row["body"]:
                body = unpacked(row["body"], row["sample"])
                said = forgetting.items(body, ids) if submission_id in shared else _whole(body)
                yield {"call": submission_id, "at": row["received_at"], "said": said}


def _whole(body: bytes) -> Any:
    try:
        return parse(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enriched:
    """A value that was written for somebody for whom nothing had been written before."""

    contact: str
    name: str
    email: str
    sync: str
    field: str
    property: str
    value: str
    source: str  # the provider
    found_at: str
    written_at: str


def newly_enriched(tx: Tx, since: float) -> list[Enriched]:
    """Who has been written for since then (UTC seconds), and was not before: a row for each value."""
    return [_enriched(row) for row in tx.rows("newly_enriched", since=since)]


def _enriched(row: Any) -> Enriched:
    known = load_identity(row["identity"])
    return Enriched(
        name=" ".join(filter(None, (known.first_name, known.last_name))) or known.full_name or "",
        email=known.email or "",
        source=row["provider"] or "",
        found_at=_moment(row["found_at"]),
        written_at=_moment(row["written_at"]),
        **{key: row[key] for key in ("contact", "sync", "field", "property", "value")},
    )


def _readable(value: Any, key: str = "") -> Any:
    """Times as people write them."""
    match value:
        case dict():
            return {name: _readable(one, name) for name, one in value.items()}
        case list():
            return [_readable(one) for one in value]
        case float() if key in _TIMES or key.endswith("_at"):
            return _moment(value)
    return value


def _moment(at: float | None) -> str:
    if at is None or at >= 1e11:
        return ""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
