"""One text of each statement for two databases: PostgreSQL takes every one, and gives what SQLite gives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.ledger import dialect
from syncd.ledger.sqlite import sqlite3
from syncd.ledger.store import Ledger

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.ledger.place import Url  # noqa: E402
from syncd.ledger.sessions import Session  # noqa: E402
from tests.postgres import Cluster, needed  # noqa: E402

STATEMENTS = dialect.statements(postgres=True)
ONLY_POSTGRES = {
    "words_set",
    "words_merge",
    "changes_so_far",
    "wake_inbox",
    "claims_release",
    "deliveries_add",
}  # each says in queries.sql why it has two texts


@pytest.fixture(scope="module")
def server() -> Cluster:
    return needed()


@pytest.fixture(scope="module")
def url(server: Cluster) -> Iterator[Url]:
    made = server.fresh()
    yield made
    server.drop(made)


@pytest.fixture(scope="module")
def session(url: Url) -> Iterator[Session]:
    made = Session(url.text, reads=False)
    yield made
    made.close()


def test_postgres_takes_every_statement(session: Session) -> None:
    """With the parameters that it names, and no other."""
    refused = {}
    for name, statement in STATEMENTS.items():
        text, names = dialect.numbered(statement)
        session.script("BEGIN")
        try:
            session.script(f"PREPARE it AS {text}")
            types = session.value("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'it'")
            assert types == len(names), name
            session.script("DEALLOCATE it")
        except psycopg.Error as error:
            refused[name] = str(error)
        session.script("ROLLBACK")
    assert refused == {}


MANY = """
INSERT INTO contact (id, connection, object, ext_id, sync, revision, identity, lacks, blocked, pulled_at)
    SELECT n, 'crm', 'contacts', n, 'a', 1, '{}', '[]', '{}', 0 FROM generate_series(1, 5000) AS n;
INSERT INTO job (id, contact_id, sync, field, state, updated_at) SELECT id, id, 'a', 'email', 'done', 0 FROM contact;
INSERT INTO write (job_id, before, after, seen, state, at) SELECT id, '', 'x', '', 'written', 0 FROM job
"""


@pytest.mark.parametrize("name", ["cases_writes", "writes_of_ours", "writes_load"])
def test_who_was_merged_is_not_looked_for_among_all_contacts_of_a_connection(session: Session, name: str) -> None:
    """Also where PostgreSQL does not know yet how many those are: with every page of contacts, that took minutes."""
    text, _ = dialect.numbered(STATEMENTS[name])
    session.script("BEGIN")
    session.script("SET LOCAL plan_cache_mode = force_generic_plan")
    session.script(MANY)
    session.script(f"PREPARE it AS {text}")
    plan = [row[0].strip() for row in session.execute("EXPLAIN EXECUTE it('[1, 2]')").fetchall()]
    session.script("ROLLBACK")
    session.script("DEALLOCATE it")
    assert [line for line in plan if line.startswith("Index Cond:") and "connection" in line] == []


def test_few_statements_have_two_texts() -> None:
    marked = dialect.read("queries.sql").split(" [postgres]\n")[:-1]
    assert {text.rpartition("-- name: ")[2] for text in marked} == ONLY_POSTGRES
    assert STATEMENTS.keys() == dialect.statements(postgres=False).keys()


def test_both_have_the_same_tables_and_columns(session: Session, tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger.db").close()
    here = sqlite3.connect(tmp_path / "ledger.db")
    columns = {
        (table, row[1])
        for (table,) in here.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall()
        for row in here.execute(f"PRAGMA table_info({table})").fetchall()
        if not table.startswith(("sqlite_", "_sqlite", "contact_words"))
    }
    here.close()
    there = session.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    ).fetchall()
    ours = ("contact_words", "ledger_migration")
    assert {tuple(row) for row in there if row[0] not in ours} == columns


VALUES = [
    ("iif(:a > 1, 'more', NULL)", {"a": 2}),
    ("iif(:a > 1, 'more', NULL)", {"a": 1}),
    ("max(:a + 0, 2)", {"a": 1}),
    ("min(:a + 0.5, 2)", {"a": 1}),
    ("max(CAST(:a AS REAL), 2.0)", {"a": None}),
    ("instr(lower(:a), 'e')", {"a": "ADÈLE"}),
    ("CAST(floor(:a / 900) AS INTEGER)", {"a": 1799.99}),
    ("CAST(round(4 * log2(:a)) AS INTEGER)", {"a": 1000.0}),
    ("substr(:a, 1, 1) = '.'", {"a": ".5"}),
    ("'b' > :a", {"a": "ä"}),  # by bytes
    ("(SELECT sum(value) FROM json_each(:a))", {"a": "[9007199254740993, 2]"}),
    ("(SELECT sum(value) FROM json_each(:a))", {"a": '{"email": 3, "phone": 4}'}),
    ("(SELECT max(key) FROM json_each_text(:a))", {"a": '{"email": "x", "phone": "y"}'}),
    ("(SELECT count(*) FROM json_each_text(:a))", {"a": "[]"}),
    ("(SELECT json_group_array(json_array(value)) FROM json_each_text(:a))", {"a": '["it", "\\"is\\""]'}),
    ("(SELECT json_group_array(value ->> 0) FROM jsonb_each(:a))", {"a": '[["one", 1.5], [null, 2]]'}),
    ("(SELECT CAST(value ->> 1 AS REAL) FROM jsonb_each(:a))", {"a": "[[1, 1795780593.9431233]]"}),
    ("(SELECT CAST(value ->> 'x' AS INTEGER) FROM jsonb_each(:a))", {"a": '[{"y": 1}]'}),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "values"), VALUES)
def test_both_give_the_same_values(session: Session, expression: str, values: dict[str, Any]) -> None:
    here = sqlite3.connect(":memory:")
    wanted = here.execute(dialect.for_sqlite(f"SELECT {expression}"), values).fetchone()[0]
    here.close()
    found = session.execute(dialect.for_postgres(f"SELECT {expression}"), values).fetchone()
    assert _plain(found[0] if found else None) == _plain(wanted)


def _plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


PATCHES = [
    ({"a": 1, "b": {"c": 2}}, {"b": {"c": None, "d": 3}}),
    ({"a": 1}, {"a": None}),
    ({"a": 1}, {"a": {"b": {"c": None}}}),
    ({"a": [1, 2]}, {"a": [3]}),
    ({"a": {"b": 1}}, {"a": "text"}),
    ({}, {}),
]


@pytest.mark.parametrize(("target", "patch"), PATCHES)
def test_a_merge_patch_is_the_same_in_both(session: Session, target: Any, patch: Any) -> None:
    here = sqlite3.connect(":memory:")
    given = {"a": json.dumps(target), "b": json.dumps(patch)}
    wanted = json.loads(here.execute("SELECT json_patch(:a, :b)", given).fetchone()[0])
    here.close()
    found = session.execute("SELECT json_patch(:a, :b)", given).fetchone()
    assert found is not None
    assert json.loads(found[0]) == wanted


def test_a_row_is_read_by_places_and_by_names(session: Session) -> None:
    row = session.execute("SELECT 1 AS one, 2 AS two, 3 AS one").fetchone()
    assert row is not None
    assert (row[0], row["one"], row["two"], tuple(row), list(row.keys())) == (1, 1, 2, (1, 2, 3), ["one", "two", "one"])
    assert dict(session.execute("SELECT 1 AS a, 'x' AS b").fetchone() or {}) == {"a": 1, "b": "x"}


def test_what_postgres_can_not_hold_in_a_text_is_marked(session: Session) -> None:
    """A NUL, as it is and as JSON writes it; a backslash before `u0000` is somebody's own text."""
    found = session.execute("SELECT :plain || '', :json || '', :own || ''", {
        "plain": "a\0b", "json": json.dumps(["a\0b"]), "own": json.dumps(["a\\u0000b"]),
    }).fetchone()  # fmt: skip
    assert found is not None
    assert tuple(found) == ("a\ufffdb", '["a\\ufffdb"]', '["a\\\\u0000b"]')


def test_one_host_needs_no_postgres(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from syncd.ledger.store import Ledger; import syncd.cli.work; "
        "Ledger.open(Path(sys.argv[1])).close(); sys.exit('psycopg' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "ledger.db")], check=True)
