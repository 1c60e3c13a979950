"""How PostgreSQL carries out each statement of the connection that writes: from an index, whatever it knows of tables.

A statement is planned once and kept. Most are planned while a ledger is new, and have to do once it is large.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from syncd.ledger import dialect

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.ledger.sessions import Session  # noqa: E402
from tests.many.test_pounding import QUEUE  # noqa: E402
from tests.postgres import needed  # noqa: E402

from .test_ledger_queries import BIG, BY_CONFIGURATION, BY_HAND, SMALL_BY_PARTIAL_INDEX  # noqa: E402

STATEMENTS = dialect.statements(postgres=True)
HOLDS_LITTLE = SMALL_BY_PARTIAL_INDEX | {
    "attempt_question", "contact_opt_out", "job_behind", "job_review", "job_writeback", "submission_assumed",
    "submission_failed", "submission_poll", "submission_unpriced", "undo_open", "write_open",
}  # fmt: skip
ONLY_READ = {"found_by_state", "jobs_of_namesakes", "jobs_of_person", "places"}  # by others, which plan them as ever
RARE = {"refresh_begin", "suppression_answers", "undos_open"}


@pytest.fixture(scope="module", params=["new", "grown"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    server = needed()
    url = server.fresh()
    made = Session(url.text, reads=False)
    if request.param == "grown":
        with psycopg.connect(url.text, autocommit=True) as connection:
            connection.execute(QUEUE.replace("%(n)s", "3000").encode())
            connection.execute("ANALYZE contact, job")  # the others it knows nothing of, as before
    yield made
    made.close()
    server.drop(url)


def scans(plan: Mapping[str, Any], table: str = "", *, until: bool = False) -> Iterator[str]:
    """The big tables that are read from one end to the other, or indexes of them. `until`: there is enough."""
    kind, table, parts = plan["Node Type"], plan.get("Relation Name", table), plan.get("Plans", [])
    if table in BIG and "Scan" in kind and "Index Cond" not in plan and not until:
        if kind == "Seq Scan":
            yield table
        elif "Index Name" in plan:
            yield plan["Index Name"]
    until = kind == "Limit" or (until and kind in {"Nested Loop", "Result", "Subquery Scan"})
    for one in parts:
        yield from scans(one, table if kind == "Bitmap Heap Scan" or kind == "BitmapOr" else "", until=until)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_nothing_big_is_read_from_one_end_to_the_other(session: Session, name: str) -> None:
    if name.startswith("check_") or name in BY_HAND | ONLY_READ | RARE or BY_CONFIGURATION.match(name):
        return
    text, names = dialect.numbered(STATEMENTS[name])
    session.script(f"PREPARE it AS {text}")
    given = f"({', '.join(['NULL'] * len(names))})" if names else ""
    plan = json.loads(session.value(f"EXPLAIN (FORMAT JSON) EXECUTE it{given}"))[0]["Plan"]
    session.script("DEALLOCATE it")
    assert set(scans(plan)) - HOLDS_LITTLE == set()
