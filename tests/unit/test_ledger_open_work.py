"""What will still move by itself, so that somebody may wait for it."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.ledger import reports
from syncd.ledger.inbox import UNSIGNED

from .by_hand import EMPTY, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand


def _move(tables: Tables, *, held: bool = True) -> int:
    values: dict[str, Any] = {
        "over_budget": [("a", "ann", "phone")], "shut": ["b"], "dear": [("bob", "phone")], "providers": ["ann", "bob"],
        "unwritten": ["a"],
    }  # fmt: skip
    return int(tables.read(reports.moving, **values) if held else tables.read(reports.moving))


@pytest.mark.parametrize(
    ("job", "moves"),
    [
        ({"state": "queued"}, True),
        ({"state": "queued", "field": "phone"}, False),
        ({"state": "queued", "field": "phone", "provider": "bob"}, False),
        ({"state": "queued", "provider": "bob"}, True),
        ({"state": "queued", "sync": "b"}, False),
        ({"state": "queued", "sync": "c", "field": "phone"}, True),
        ({"state": "queued", "sync": "c", "provider": "halted"}, False),
        ({"state": "queued", "sync": "b", "provider": "halted"}, False),
        ({"state": "waiting", "provider": "halted"}, False),
        ({"state": "sending", "submission_id": "known"}, True),
        ({"state": "sent", "submission_id": "known", "provider": "halted"}, True),
        ({"state": "sent", "submission_id": "unread"}, False),
        ({"state": "sent", "submission_id": "unsigned"}, True),
        ({"state": "in_doubt", "submission_id": "unread"}, False),
        ({"state": "answered", "provider": "halted"}, True),
        ({"state": "accepted"}, False),
        ({"state": "accepted", "sync": "c"}, True),
        ({"state": "accepted", "sync": "c", "contact_id": 2}, False),
        ({"state": "accepted", "contact_id": 2}, False),
        ({"state": "writing"}, True),
        ({"state": "writing", "contact_id": 2}, False),
        ({"state": "review"}, False),
        ({"state": "done"}, False),
    ],
)
def test_which_jobs_will_still_move_by_themselves(tables: Tables, job: dict[str, Any], moves: bool) -> None:
    row = {"field": "email", "provider": "ann", "sync": "a", "contact_id": 1, **job}
    for n, crm in ((1, "crm"), (2, "halted")):
        tables.add(Where("contact", "id"), n, **EMPTY, connection=crm, planned=1)
    tables.add(Where("connection", "name"), "halted", trouble="credentials")
    tables.add(Where("connection", "name"), "ann", trouble="")
    tables.add(Where("job", "id"), 1, **row)
    counter = {"field": row["field"], "state": row["state"], "reason": ""}
    tables.add(Where("counter", "sync"), row["sync"], **counter, n=1)
    for call, state, note in (("unread", "quarantined", "no JSON"), ("unsigned", "quarantined", UNSIGNED),
                              ("known", "applied", "")):  # fmt: skip
        tables.add(Where("delivery", "submission_id"), call, state=state, note=note)
    assert _move(tables) == int(moves)


@pytest.mark.parametrize(
    ("call", "moves", "reachable"),
    [
        ({"state": "intent"}, 1, 1),
        ({"state": "accepted"}, 1, 1),
        ({"state": "accepted", "provider": "gone"}, 1, 0),
        ({"state": "in_doubt"}, 0, 0),
        ({"state": "in_doubt", "provider": "gone"}, 0, 0),
        ({"state": "settled"}, 0, 0),
        ({"id": "unread", "state": "accepted"}, 0, 0),
        ({"id": "unread", "state": "accepted", "provider": "gone"}, 0, 0),
        ({"id": "unsigned", "state": "accepted"}, 1, 1),
        ({"id": "unsigned", "state": "accepted", "provider": "gone"}, 1, 0),
    ],
)
def test_which_calls_will_still_end_by_themselves(
    tables: Tables, call: dict[str, Any], moves: int, reachable: int
) -> None:
    """And what waits to be read, or planned."""
    values = {"id": "known", "provider": "ann", **call}
    tables.add(Where("submission", "shares"), "{}", **values)
    for name, note in (("unread", "no JSON"), ("unsigned", UNSIGNED)):
        tables.add(Where("delivery", "submission_id"), name, state="quarantined", note=note)
    assert _move(tables, held=False) == moves
    assert _move(tables) == reachable
    tables.add(Where("contact", "id"), 1, **EMPTY, planned=0)
    tables.add(Where("delivery", "submission_id"), "known", state="received")
    assert _move(tables) == reachable + 2


def test_a_job_whose_provider_is_gone_is_not_waited_for(tables: Tables) -> None:
    tables.add(Where("contact", "id"), 1, **EMPTY, planned=1)
    tables.add(Where("submission", "shares"), "{}", id="s", provider="gone", state="accepted")
    for n, state in enumerate(("sent", "sent", "sending"), 1):
        tables.add(Where("job", "id"), n, contact_id=1, field=f"f{n}", state=state, submission_id="s", sync="a")
        tables.add(Where("counter", "sync"), "a", field=f"f{n}", state=state, reason="", n=1)
    assert (_move(tables, held=False), _move(tables)) == (4, 1)
