"""A large ledger out of a small one: what belongs to a contact is copied a thousand times, one statement for a table.

Column names tell what has to differ in each copy, so that a change of the schema seldom matters here; foreign keys and
unique indexes are checked at the end. Of four copies in five only the contacts and their jobs are made, as of people
whom no provider can be asked about: a ledger with all facts of a million purchases takes minutes to write.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from syncd.ledger.sqlite import sqlite3

_EVERYBODY = ("contact", "person_key", "member", "job")
_BOUGHT = ("again", "submission", "attempt", "delivery", "result", "review", "write", "step")
_SUMS = {
    "spend": ("reserved_mc", "charged_mc", "assumed_mc", "doubt_mc"),
    "credit_total": ("submissions", "reserved_mc", "charged_mc", "assumed_mc", "doubt_mc", "refund_mc"),
}
_SHARE = 5  # one copy of so many has been bought for
STEP = 1_000_000  # between the ids of two copies: more than the template has
_SHARED = ("selection_id", "evidence_id", "sample_id", "run_id")  # of all copies
_FAST = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -500000")
_COPIES = """CREATE TEMP TABLE copy AS
WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < ? - 1) SELECT k FROM n"""
_NOT_ASKED = """UPDATE main.job
SET reason = 'rejected_input', provider = '', submission_id = NULL, result_id = NULL, value = NULL, steps = ''
WHERE id > ? AND state = 'done'"""
_STEPS = """coalesce((SELECT group_concat(',' || (value + k * {step}), '')
FROM json_each('[' || substr(old.steps, 2) || ']')), '')"""
_COUNT = """INSERT INTO main.counter (sync, field, state, reason, n)
SELECT sync, field, state, reason, count(*) FROM main.job GROUP BY sync, field, state, reason"""


def multiply(template: Path, target: Path, copies: int) -> None:
    """Write `target`, which holds the template's contacts `copies` times. The template's ledger is closed."""
    shutil.copy(template, target)
    bought = copies // _SHARE
    db = sqlite3.connect(target, isolation_level=None)
    for pragma in (*_FAST, "foreign_keys = OFF"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("ATTACH ? AS template", [str(template)])
    db.execute(_COPIES, [copies])
    indexes = _without_indexes(db)
    for table in _EVERYBODY:
        _copy(db, table, copies)
    for table in _BOUGHT:
        _copy(db, table, bought)
    db.execute(_NOT_ASKED, [bought * STEP])
    for table, names in _SUMS.items():
        db.execute(f"UPDATE main.{table} SET " + ", ".join(f"{name} = {name} * {bought}" for name in names))
    for statement in indexes:
        db.execute(statement)
    db.execute("DELETE FROM main.counter")
    db.execute(_COUNT)
    db.execute("DETACH template")
    if wrong := db.execute("PRAGMA foreign_key_check").fetchall():
        raise RuntimeError(f"copied rows belong to nobody: {wrong[:3]}")
    db.execute("PRAGMA locking_mode = NORMAL")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


def _without_indexes(db: sqlite3.Connection) -> list[str]:
    """Drop indexes and triggers, which are made faster afterwards than kept up; returns how to make them again."""
    kept = "SELECT type, name, sql FROM main.sqlite_master WHERE type IN ('index', 'trigger') AND sql NOT NULL"
    statements = []
    for kind, name, statement in db.execute(kept).fetchall():
        db.execute(f"DROP {kind} main.{name}")
        statements.append(statement)
    return statements


def _copy(db: sqlite3.Connection, table: str, copies: int) -> None:
    columns = db.execute(f"PRAGMA template.table_info({table})").fetchall()
    keys = ", ".join(str(number + 1) for number, column in enumerate(columns) if column[5])
    values = ", ".join(_value(table, name, kind) for _, name, kind, *_ in columns)
    db.execute(
        f"INSERT INTO main.{table} SELECT {values} FROM template.{table} AS old, copy WHERE k < ? ORDER BY {keys}",
        [copies],
    )


def _value(table: str, name: str, kind: str) -> str:
    """A column of a copy: itself, or what makes it the copy's own."""
    old = f"old.{name}"
    if name == "digest":
        return "random()"
    if (table, name) in {("person_key", "key"), ("attempt", "question")}:
        return f"{old} + k"
    if name == "steps":
        return _STEPS.format(step=STEP)
    if kind == "INTEGER" and (name in {"id", "behind"} or (name.endswith("_id") and name not in _SHARED)):
        return f"{old} + k * {STEP}"
    if name == "asked_person":
        return f"iif({old} = '', '', CAST(CAST({old} AS INTEGER) + k * {STEP} AS TEXT))"
    if name in {"ext_id", "person"}:
        return f"CAST(CAST({old} AS INTEGER) + k * {STEP} AS TEXT)"
    named = name == "id" or (name.endswith("_id") and name != "provider_id")
    return f"printf('%06x', k) || nullif(substr({old}, 7), '')" if kind == "TEXT" and named else old
