"""Every named statement: it fits the schema, nobody forgot it, and it stays quick on a big ledger."""

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from syncd.ledger.file import PREPARED
from syncd.ledger.store import Ledger, queries
from tests.places import place_of

from .audit import sqlite3

pytestmark = pytest.mark.sqlite

BIG = {
    "contact",
    "job",
    "submission",
    "attempt",
    "delivery",
    "result",
    "write",
    "event",
    "step",
    "history",
    "person",
    "other",
    "mail",
    "person_key",
    "member",
    "again",
    "evidence",
    "review",
    "undo",
    "run",
}
SMALL_BY_PARTIAL_INDEX = {
    "job_review", "step_unused",
    "contact_vague",
    "contact_requested", "contact_to_tell",  # indexes that hold only what is under way
    "contact_unplanned", "delivery_todo", "submission_intent", "submission_open", "job_answered", "job_queued",
    "job_writeback", "delivery_quarantined", "job_waiting", "job_flight", "submission_doubt",
    "undo_open", "undo_intent", "run_undo",
}  # fmt: skip
BY_HAND = {
    "in_doubt",
    "contacts_unseen",
    "planned",
    "planned_totals",
    "answers_counted",
    "calls_without_price",
    "forget_contacts_holding",
    "forget_mentions",
    "forget_in_runs",
    "forget_undos",
    "newly_enriched",
    "run_first_since",
    "runs_newest",  # of those, as many as are shown
}  # what an operator types now and then
BY_CONFIGURATION = re.compile(r"rename_")  # once, at the start with another name
SYNCD = Path(__file__).parents[2] / "syncd"


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("schema") / "ledger.db"
    Ledger.open(place_of(path)).close()
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def plan_of(connection: sqlite3.Connection, name: str) -> list[str]:
    statement = queries()[name]
    values = dict.fromkeys(re.findall(r":(\w+)", statement))
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


@pytest.mark.parametrize("name", sorted(queries()))
def test_it_fits_the_schema_and_scans_nothing_big(schema: sqlite3.Connection, name: str) -> None:
    steps = plan_of(schema, name)
    if name.startswith("check_") or name in BY_HAND or BY_CONFIGURATION.match(name):
        return  # `syncd verify` reads everything on purpose
    for step in steps:
        scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
        if scan and scan[1] in BIG:
            assert scan[2] in SMALL_BY_PARTIAL_INDEX, step


def test_the_claim_is_read_in_the_order_of_its_index(schema: sqlite3.Connection) -> None:
    plan = [step for step in plan_of(schema, "candidates_waiting") if not step.startswith("CO-ROUTINE")]
    assert plan[0] == "SEARCH job USING INDEX job_queued (sync=? AND provider=? AND priority>? AND priority<?)"
    assert not any("TEMP B-TREE" in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan_of(schema, "jobs_to_write"))


def test_the_newest_run_of_each_sync_is_found_without_reading_the_others(schema: sqlite3.Connection) -> None:
    """Every status and every scrape of the metrics asks for it."""
    assert [step for step in plan_of(schema, "runs_latest") if re.match("SCAN (?!named)", step)] == []


QUEUES = ["contacts_answered", "deliveries_waiting", "contacts_undecided", "submissions_to_poll"]


@pytest.mark.parametrize("name", QUEUES)
def test_no_stage_sorts_its_queue(schema: sqlite3.Connection, name: str) -> None:
    assert not any("TEMP B-TREE" in step for step in plan_of(schema, name))


@pytest.mark.parametrize("name", ["cases_results", "results_since", "writes_load"])
def test_what_an_answer_was_asked_is_found_by_its_job(schema: sqlite3.Connection, name: str) -> None:
    """A job has a few attempts, a call has hundreds."""
    plan = plan_of(schema, name)
    assert "SEARCH attempt USING INDEX attempt_once (job_id=?)" in plan
    assert "SEARCH attempt USING INDEX attempt_submission (submission_id=?)" not in plan


def test_a_time_comes_out_of_json_as_it_went_in(schema: sqlite3.Connection) -> None:
    for moment in (1795780593.9431233, 1795780593.0, 0.1 + 0.2, 253402300799.0):
        assert json.loads(schema.execute("SELECT json_array(?)", (moment,)).fetchone()[0]) == [moment]


def test_each_name_is_given_once() -> None:
    text = resources.files("syncd.ledger").joinpath("queries.sql").read_text("utf-8")
    names = re.findall(r"^-- name: (\w+)$", text, re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_each_statement_is_used_and_each_use_has_a_statement() -> None:
    said = "".join(path.read_text("utf-8") for path in SYNCD.rglob("*.py"))
    used = set(re.findall(r"""tx\.(?:run|insert|many|rows?|packed|value)\(\s*"(\w+)\"""", said))
    used |= set(re.findall(r"""self\.run\("(\w+)\"""", said))
    assert used - queries().keys() == set()
    assert {name for name in queries() if f'"{name}"' not in said} == set()


def test_a_job_is_made_and_moved_in_one_place() -> None:
    """Whatever else set a state would leave out the history and the counters."""
    moves = {
        name for name, said in queries().items() if re.search(r"UPDATE job SET(?:(?!WHERE).)*\bstate\s*=", said, re.S)
    }
    makes = {name for name, said in queries().items() if re.search(r"(INSERT|REPLACE) INTO job\b", said)}
    assert (moves, makes) == ({"jobs_move", "jobs_move_alike"}, {"jobs_make"})


def test_nothing_takes_the_time_from_sqlite() -> None:
    for name, statement in queries().items():
        assert not re.search(r"\b(now|current_timestamp|unixepoch|julianday|random)\s*\(|'now'", statement, re.I), name


def test_no_move_of_a_job_is_planned_anew_for_the_state_that_is_given() -> None:
    for name, statement in queries().items():
        if statement.startswith("UPDATE job "):
            assert not re.search(r"\b(?:AND|WHERE) (?:job\.)?state = :", statement), name


def test_no_statement_is_planned_anew_for_its_limit() -> None:
    for name, statement in queries().items():
        assert not re.search(r"\bLIMIT :\w+(?! \+ 0)\b", statement), name


def test_a_connection_keeps_every_statement_prepared() -> None:
    assert len(queries()) + 20 < PREPARED, "and what begins and ends a transaction"
