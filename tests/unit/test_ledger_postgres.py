"""The ledger in PostgreSQL: how it is opened, what its errors ask for, and that nothing unsure is acknowledged."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog.testing

from syncd.cli.work import is_alone
from syncd.ledger import claims, copies, search, upkeep, wakeups
from syncd.ledger.claims import Kind, Owner
from syncd.ledger.file import DiskFull, LedgerBusy, LedgerError, LedgerForbidden
from syncd.ledger.shared_time import SharedTime
from syncd.ledger.store import Ledger, Tx, reading
from syncd.observe.teller import Teller

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.ledger import postgres, sessions  # noqa: E402
from syncd.ledger.engines import engine_of  # noqa: E402
from syncd.ledger.place import Url  # noqa: E402
from syncd.ledger.sessions import Session  # noqa: E402
from tests import places  # noqa: E402
from tests.postgres import Cluster, needed  # noqa: E402
from tests.system.rig import until  # noqa: E402

from .audit import sqlite3  # noqa: E402
from .crossing import another  # noqa: E402
from .harness import EMAIL, Harness  # noqa: E402

T = TypeVar("T")
ME, YOU = Owner(1), Owner(2)


@pytest.fixture(scope="module")
def server() -> Cluster:
    return needed()


@pytest.fixture
def url(server: Cluster) -> Iterator[Url]:
    made = server.fresh()
    yield made
    server.drop(made)


@pytest.fixture
def ledger(url: Url) -> Iterator[Ledger]:
    made = Ledger.open(url)
    yield made
    made.close()


@pytest.fixture
def other(url: Url) -> Iterator[Any]:
    """Somebody else at the same database."""
    with psycopg.connect(url.text, autocommit=True) as connection:
        yield connection


@pytest.fixture
def harness_on(server: Cluster, tmp_path: Path) -> Iterator[Harness]:
    """On PostgreSQL whatever the other tests run on: one contact was written, another one was not found."""
    before = places.on_postgres()
    places.choose("postgres")
    try:
        with Harness(tmp_path, fields={EMAIL: ["ann"]}) as harness:
            harness.finds(harness.person("Ada"), EMAIL, "ada@acme.example.com")
            harness.person("Bo")
            harness.ask()
            harness.answer_all()
            harness.finish()
            yield harness
    finally:
        places.choose(places.ENGINES[before])


def write(ledger: Ledger, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    return asyncio.run(ledger.write(work, *args, **kwargs))


def mark(ledger: Ledger, key: str) -> float | None:
    return asyncio.run(ledger.read(upkeep.mark, key))


# --- opening it -------------------------------------------------------------------------------------------


def test_it_is_made_once_and_opened_again(server: Cluster) -> None:
    url = server.empty()
    ledger = Ledger.open(url)
    write(ledger, upkeep.set_mark, "a", 1.0)
    ledger.close()
    ledger = Ledger.open(url)
    assert mark(ledger, "a") == 1.0
    ledger.close()
    server.drop(url)


def test_a_database_of_another_program_is_left_alone(server: Cluster) -> None:
    url = server.empty()
    with psycopg.connect(url.text) as connection:
        connection.execute("CREATE TABLE theirs (id bigint)")
    with pytest.raises(LedgerError, match="another program"):
        Ledger.open(url)
    server.drop(url)


def test_reading_where_there_is_no_ledger(server: Cluster) -> None:
    url = server.empty()
    there_is_none = r"there is no ledger at postgresql:///ledger_\d+: start `syncd run` first"
    with pytest.raises(LedgerError, match=there_is_none), reading(url):
        pass
    with pytest.raises(LedgerError, match="there is no ledger"):
        Ledger.change(url, upkeep.set_mark, "a", 1.0)
    server.drop(url)


def test_a_server_that_is_not_there_is_said_in_a_sentence_without_the_password() -> None:
    url = Url("postgresql://syncd:open-sesame@127.0.0.1:1/ledger")
    with pytest.raises(LedgerError, match=r"^the ledger postgresql://127.0.0.1:1/ledger can't be opened: ") as told:
        Ledger.open(url)
    assert "sesame" not in str(told.value) + repr(url)


def test_each_connection_has_the_settings_that_the_promises_need(url: Url) -> None:
    wanted = {
        "synchronous_commit": "on",
        "idle_in_transaction_session_timeout": "5s",
        "lock_timeout": "30s",
        "jit": "off",
    }
    with closing(Session(url.text, reads=False)) as writer, closing(Session(url.text, reads=True)) as reader:
        assert {name: writer.value(f"SHOW {name}") for name in wanted} == wanted
        assert (reader.value("SHOW statement_timeout"), reader.value("SHOW lock_timeout")) == ("10min", "0")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("DELETE FROM tally")


def test_several_daemons_may_have_it_and_a_command_sees_whether_one_works(url: Url, ledger: Ledger) -> None:
    with engine_of(url).held(alone=False) as first, engine_of(url).held(alone=False) as second:
        assert (first, second, is_alone(url)) == (True, True, False)
    assert is_alone(url)
    with engine_of(url).held(alone=True) as moves, engine_of(url).held(alone=False) as starts:
        assert (moves, starts) == (True, False), "nobody starts while a command has to be alone"
    assert is_alone(url)
    write(ledger, claims.renew, ME, now=0.0)
    assert not is_alone(url), "it has lost its connection, and lives"
    write(ledger, claims.end, ME)
    assert is_alone(url)


# --- leases, by the database's own clock -------------------------------------------------------------------


@pytest.mark.parametrize("off", [-7200.0, 0.0, 7200.0])
def test_a_host_whose_clock_is_wrong_takes_no_live_lease_and_loses_none(ledger: Ledger, other: Any, off: float) -> None:
    now = time.time()
    write(ledger, claims.take, Kind.JOB, [1], owner=ME, now=now)
    assert write(ledger, claims.expire, YOU, (), 0, now=now + off) == []
    write(ledger, claims.take, Kind.JOB, [2], owner=YOU, now=now + off)
    assert write(ledger, claims.expire, ME, (), 0, now=now) == []
    (mine,), (yours,) = other.execute("SELECT lease_until FROM worker ORDER BY owner").fetchall()
    assert abs(mine - yours) < 60, "both are measured by one clock"


def test_what_a_process_that_is_gone_held_is_free_when_its_lease_is_over_and_not_before(ledger: Ledger) -> None:
    brief = Owner(3, lease=0.3)
    write(ledger, claims.take, Kind.JOB, [1], owner=brief, now=0.0)
    assert write(ledger, claims.expire, YOU, (), 0, now=1e12) == []
    time.sleep(0.35)
    assert [one.item for one in write(ledger, claims.expire, YOU, (), 0, now=0.0)] == [1]


def test_a_start_beside_others_takes_nothing_from_them(url: Url, ledger: Ledger) -> None:
    claim = write(ledger, claims.take, Kind.JOB, [1], owner=ME, now=0.0)
    with closing(Ledger.open(url)) as mine:
        assert not write(mine, claims.begin, YOU, shared=True, now=0.0)
        write(mine, claims.require, claim)
        write(mine, claims.end, ME)
        assert write(mine, claims.begin, Owner(3), shared=True, now=0.0) is False, "the second one works on"
        write(mine, claims.end, YOU)
        write(mine, claims.end, Owner(3))
        assert write(mine, claims.begin, YOU, shared=True, now=0.0) is True


def test_one_process_sends_the_alerts_and_the_next_one_once_it_has_ended(harness_on: Harness) -> None:
    mine, yours = Teller(harness_on.parts), Teller(another(harness_on))

    async def look() -> tuple[bool, bool]:
        return await mine.is_me(), await yours.is_me()

    assert [harness_on.run(look()) for _ in "ab"] == [(True, False)] * 2
    harness_on.run(mine.close())
    assert harness_on.run(yours.is_me())
    assert harness_on.run(look()) == (False, True)


def test_time_is_the_databases_and_a_slow_answer_changes_nothing(ledger: Ledger) -> None:
    shared = SharedTime()
    assert abs(shared() - time.time()) < 1, "the host's own before the first look"
    asyncio.run(shared.look(ledger))
    told = asyncio.run(ledger.read(lambda tx: tx.value("ledger_time", now=0.0)))
    assert 0 <= told - shared() + 0.5 < 1.0


# --- units of work ----------------------------------------------------------------------------------------


def test_a_unit_that_fails_is_undone_alone(ledger: Ledger) -> None:
    def fails(tx: Tx) -> None:
        upkeep.set_mark(tx, "half", 1.0)
        tx.run("selection_cursor", id="no number", cursor="")

    async def together() -> list[Any]:
        units = [ledger.write(upkeep.set_mark, "a", 1.0), ledger.write(fails), ledger.write(upkeep.set_mark, "b", 2.0)]
        return await asyncio.gather(*units, return_exceptions=True)

    first, second, third = asyncio.run(together())
    assert (first, third, isinstance(second, psycopg.DataError)) == (None, None, True)
    assert [mark(ledger, key) for key in ("a", "half", "b")] == [1.0, None, 2.0]


def test_units_of_work_cost_no_message_for_where_they_begin_and_end(url: Url) -> None:
    """But for one between two of them; what one of them has done can be undone alone."""
    sent = list[str]()

    class Told(Session):
        def script(self, text: str) -> None:
            sent.append(text)
            super().script(text)

    with closing(Told(url.text, reads=False)) as session:
        engine_of(url).begin(session)
        for name in ("first", "second", "third"):
            session.execute("SAVEPOINT unit")
            session.execute("INSERT INTO tally VALUES (:name, 1)", {"name": name})
            if name == "second":
                session.execute("ROLLBACK TO unit")
            session.execute("RELEASE unit")
        engine_of(url).commit(session)
        assert sent[0].startswith("BEGIN; ")
        assert sent[1:] == ["RELEASE unit; SAVEPOINT unit"] * 2
        assert session.value("SELECT string_agg(name, ' ' ORDER BY name) FROM tally") == "first third"


def test_what_another_transaction_was_in_the_way_of_is_tried_again(ledger: Ledger) -> None:
    tries = 0

    def deadlocks_twice(tx: Tx) -> str:
        nonlocal tries
        tries += 1
        upkeep.set_mark(tx, f"try {tries}", 1.0)
        if tries < 3:
            tx._connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$")
        return "done"

    assert write(ledger, deadlocks_twice) == "done"
    assert [mark(ledger, f"try {n}") for n in (1, 2, 3)] == [None, None, 1.0]


def test_in_the_end_it_is_told(ledger: Ledger) -> None:
    def deadlocks(tx: Tx) -> None:
        tx._connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$")

    with pytest.raises(LedgerBusy):
        write(ledger, deadlocks)


def test_what_a_unit_of_work_has_read_stays_as_it_is(url: Url, ledger: Ledger) -> None:
    """Three processes each add one to what they have read, ten times."""

    def add_one(tx: Tx) -> None:
        upkeep.set_mark(tx, "n", (upkeep.mark(tx, "n") or 0.0) + 1)

    def process() -> None:
        for _ in range(10):
            Ledger.change(url, add_one)

    threads = [threading.Thread(target=process) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert mark(ledger, "n") == 30.0


def test_what_comes_while_another_process_writes_is_one_transaction(ledger: Ledger, other: Any, url: Url) -> None:
    """Otherwise each process would write less at a time, the more of them there are."""

    def transaction(tx: Tx) -> int:
        return int(tx._connection.execute("SELECT txid_current()").fetchone()[0])

    async def transactions() -> set[int]:
        with closing(Session(url.text, reads=False)) as another:
            engine_of(url).begin(another)
            units = [asyncio.create_task(ledger.write(transaction))]
            async with asyncio.timeout(5):
                while not other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:
                    await asyncio.sleep(0.01)
            units += [asyncio.create_task(ledger.write(transaction)) for _ in range(20)]
            await asyncio.sleep(0.05)
            another.commit()
        return set(await asyncio.gather(*units))

    assert len(asyncio.run(transactions())) == 1


def test_a_connection_that_is_lost_is_made_again(ledger: Ledger, other: Any) -> None:
    write(ledger, upkeep.set_mark, "a", 1.0)
    assert mark(ledger, "a") == 1.0
    other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncd'")
    with pytest.raises(LedgerError):
        write(ledger, upkeep.set_mark, "b", 1.0)
    write(ledger, upkeep.set_mark, "c", 1.0)
    assert [mark(ledger, key) for key in ("b", "c", "b", "c")] == [None, 1.0, None, 1.0], "each of the readers"


@pytest.mark.parametrize("number", [1, 20])
def test_whoever_stands_still_in_a_transaction_holds_nobody_up(
    ledger: Ledger, other: Any, url: Url, number: int
) -> None:
    """Its lock is free once it is cut off; what it would commit after that is refused. After many rows at once, too."""
    with closing(Session(url.text, reads=False)) as still:
        still.script("SET idle_in_transaction_session_timeout = '200ms'")
        engine_of(url).begin(still)
        if number == 1:
            still.execute("INSERT INTO tally VALUES ('late', 1)")
        else:
            still.executemany("INSERT INTO tally VALUES (:name, 1)", [(f"late {n}",) for n in range(number)])
        write(ledger, upkeep.set_mark, "a", 1.0)
        with pytest.raises(psycopg.Error):
            still.commit()
    assert other.execute("SELECT count(*) FROM tally WHERE name LIKE 'late%'").fetchone() == (0,)


def test_several_that_stand_still_one_after_the_other_are_waited_for(ledger: Ledger, other: Any, url: Url) -> None:
    """A host that is frozen has more than one process in line: each is cut off only once it was its turn."""
    still = [Session(url.text, reads=False) for _ in range(4)]
    for one in still:
        one.script("SET idle_in_transaction_session_timeout = '2s'")
    pids = [str(one.value("SELECT pg_backend_pid() AS pid")) for one in still]
    wait = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN ({', '.join(pids)})"
    engine = engine_of(url)
    engine.begin(still[0])
    with ThreadPoolExecutor() as line:
        turns = [line.submit(engine.begin, one) for one in still[1:]]
        until("all others are in line", lambda: other.execute(wait).fetchone() == (3,))
        write(ledger, upkeep.set_mark, "a", 1.0)
        for turn in turns:
            turn.result()
    for one in still:
        one.close()
    assert mark(ledger, "a") == 1.0


# --- what the tables themselves refuse --------------------------------------------------------------------


def test_the_tables_refuse_what_must_not_be_there(harness_on: Harness) -> None:
    """The same as in SQLite: one live attempt, one question about a field of a person, an append-only history …"""
    place = harness_on.ledger.place
    assert isinstance(place, Url)
    job = "UPDATE job SET state = 'sent', asked_person = 'one', field = 'email' WHERE id = :id"
    attempt = """
INSERT INTO attempt (job_id, submission_id, request, provider, round, way, asked, created_at)
SELECT job_id, submission_id, request, provider, round, way, asked, created_at FROM attempt LIMIT 1"""
    write = "INSERT INTO write (job_id, before, after, seen, state, at) VALUES (:id, '', 'x', '', 'intent', 1)"
    with closing(Session(place.text, reads=False)) as session:
        for statement in (attempt, "UPDATE step SET note = 'it was otherwise'", "UPDATE job SET steps = ',7'"):
            with pytest.raises(psycopg.IntegrityError):
                session.execute(statement)
        session.execute("BEGIN")
        session.execute(job, {"id": 1})
        session.execute(write, {"id": 1})
        for again, id_ in ((job, 2), (write, 1)):
            session.execute("SAVEPOINT it")
            with pytest.raises(psycopg.IntegrityError):
                session.execute(again, {"id": id_})
            session.execute("ROLLBACK TO it")
        session.execute("ROLLBACK")


def test_a_ledger_that_adds_up_is_said_to(harness_on: Harness) -> None:
    place = harness_on.ledger.place
    assert isinstance(place, Url)
    with reading(place) as tx:
        assert list(upkeep.problems(place, tx)) == []
    with psycopg.connect(place.text) as connection:
        connection.execute("UPDATE counter SET n = n + 2 WHERE state = 'done' AND reason = 'written'")
    with reading(place) as tx:
        assert list(upkeep.problems(place, tx)) == ["the counter of people email done written is off by 2"]
    with psycopg.connect(place.text) as connection:
        connection.execute("UPDATE counter SET n = n - 2 WHERE state = 'done' AND reason = 'written'")


FOUND = {
    "ada": {"501"},
    "ADA test": {"501"},
    "ad": {"501"},  # the beginning of a word that nobody has
    "test": {"501", "502"},
    "adá": {"501"},
    "nobody": set[str](),
    "acme.example.com bo": {"502"},
}


@pytest.mark.parametrize("text", FOUND)
def test_contacts_are_found_by_words(harness_on: Harness, text: str) -> None:
    found = harness_on.run(harness_on.ledger.read(search.find, search.Wanted(text=text)))
    assert {one.ref.rpartition("/")[2] for one in found.rows} == FOUND[text]


def test_a_copy_to_try_something_on_holds_the_same(harness_on: Harness, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copies.copy_for_trial(harness_on.ledger.place, copy)
    with reading(copy) as tx:
        assert list(upkeep.problems(copy, tx)) == []
    for table in ("contact", "job", "submission", "attempt", "result", "spend", "credit_total", "counter"):
        there = harness_on.sql(f"SELECT * FROM {table}")
        with closing(sqlite3.connect(copy)) as file:
            assert sorted(file.execute(f"SELECT * FROM {table}").fetchall(), key=str) == sorted(there, key=str)


def test_where_there_is_no_ledger_yet_there_is_no_copy(server: Cluster, tmp_path: Path) -> None:
    url = server.empty()
    copies.copy_for_trial(url, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    server.drop(url)


# --- a COMMIT that is unsure ------------------------------------------------------------------------------


def test_a_commit_that_did_not_wait_for_another_host_is_none(ledger: Ledger, url: Url, other: Any) -> None:
    """The standby does not answer, and somebody cancels the wait: PostgreSQL says COMMIT, with a warning."""
    ended = threading.Event()
    told = threading.Thread(target=_cancel_waits, args=(url, ended))
    told.start()
    try:
        with nobody_follows(other), pytest.raises(LedgerError, match="nobody can say whether"):
            _write_again_and_again(ledger)
    finally:
        ended.set()
        told.join()


@contextmanager
def nobody_follows(other: Any) -> Iterator[None]:
    """Each commit waits for a standby that is not there."""
    other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    other.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        other.execute("ALTER SYSTEM RESET synchronous_standby_names")
        other.execute("SELECT pg_reload_conf()")


def _write_again_and_again(ledger: Ledger) -> None:
    """Until the server has read its configuration, commits wait for nobody."""
    for n in range(1000):
        write(ledger, upkeep.set_mark, "a", float(n))


def _cancel_waits(url: Url, ended: threading.Event) -> None:
    waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with psycopg.connect(url.text, autocommit=True) as connection:
        while not ended.wait(0.02):
            connection.execute(waits)


def test_what_is_acknowledged_is_in_the_log_on_the_disk(ledger: Ledger, other: Any) -> None:
    """Although it could be seen before: PostgreSQL's own writer of the log would come a fifth of a second later."""
    behind = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"
    for n in range(20):
        write(ledger, upkeep.set_mark, "a", float(n))
        assert other.execute(behind).fetchone() == (0,)


def test_who_waits_for_a_standby_keeps_nobody_from_writing(url: Url, other: Any) -> None:
    told = list[bool]()
    with closing(Session(url.text, reads=False)) as first, closing(Session(url.text, reads=False)) as second:
        with nobody_follows(other):
            for n in range(100):  # until the server has read its configuration, commits wait for nobody
                engine_of(url).begin(first)
                first.execute("INSERT INTO tally VALUES (:name, 1)", {"name": f"first {n}"})
                waits = threading.Thread(target=lambda: told.append(first.commit()))
                waits.start()
                waits.join(0.3)
                if waits.is_alive():
                    break
            engine_of(url).begin(second)
            assert second.execute("SELECT count(*) FROM tally").fetchone() == (n + 1,)
            second.script("ROLLBACK")
            assert waits.is_alive(), "it is not acknowledged"
        waits.join(10)
    assert told == [True] * (n + 1)


def test_a_commit_of_a_transaction_that_has_failed_is_none(url: Url) -> None:
    with closing(Session(url.text, reads=False)) as session:
        engine_of(url).begin(session)
        with pytest.raises(psycopg.Error):
            session.execute("SELECT 1 / 0")
        with pytest.raises(LedgerError, match="nobody can say"):
            engine_of(url).commit(session)


def test_without_a_standby_that_commits_wait_for_nothing_is_begun_where_there_is_to_be_one(url: Url) -> None:
    with closing(Session(url.text, reads=False)) as session:
        with pytest.raises(LedgerError, match="waits for no synchronous standby any more"):
            postgres.PostgresEngine(replace(url, replicated=True)).begin(session)
        session.execute("ROLLBACK")
        postgres.PostgresEngine(url).begin(session)


def test_there_is_room_for_each_statement_to_be_prepared() -> None:
    assert len(engine_of(Url("postgresql:///any")).statements) < sessions.STATEMENTS_KEPT


def test_that_nobody_can_be_woken_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the database can't be reached; and it is tried again and again."""
    monkeypatch.setattr(wakeups, "AGAIN", 0.0)
    tries = 0

    def lost(_: str) -> AsyncIterator[None]:
        nonlocal tries
        tries += 1
        if tries == 3:
            return _woken_twice()
        if tries == 6:
            raise EOFError
        raise OSError("nobody answers")

    monkeypatch.setattr(sessions, "notices", lost)
    woken: list[int] = []
    with structlog.testing.capture_logs() as lines, pytest.raises(EOFError):
        asyncio.run(wakeups.listen(Url("postgresql:///any"), lambda: woken.append(tries)))
    assert woken == [3, 3]
    assert [line["why"] for line in lines] == ["nobody answers", "it was lost"]


async def _woken_twice() -> AsyncIterator[None]:
    for _ in range(2):
        yield
    raise OSError("it was lost")


def test_an_error_is_told_in_one_line_and_by_what_it_asks_for() -> None:
    for code, kind in (("53100", DiskFull), ("55P03", LedgerBusy), ("42501", LedgerForbidden), ("22000", LedgerError)):
        error = psycopg.errors.lookup(code)("said by the server\nHINT: look at the statement")
        assert postgres._said(error) == "said by the server"
        assert type(postgres._meaning(error, "it says")) is kind
    assert postgres._said(ValueError("")) == ""
