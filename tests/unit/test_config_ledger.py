"""Where the ledger is: a file or a PostgreSQL database, said in one place, and no password is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cli.work import only_daemon
from syncd.config import OnLedgerDown
from syncd.ledger import claims
from syncd.ledger.engines import engine_of
from syncd.ledger.file import LedgerError, file_of
from syncd.ledger.place import Url

from .test_config import ENVIRON, GOOD, problems, read

FILE = "ledger: { path: ledger.db, keep: { raw: 2w } }"
PASSWORD = "open-canary-7"
URL = f"postgresql://syncd:{PASSWORD}@db.example.com:5433/ledger?sslmode=verify-full&sslpassword=key-canary-8"


def with_ledger(text: str) -> str:
    assert FILE in GOOD
    return GOOD.replace(FILE, f"ledger: {text}")


def test_a_file_is_beside_the_configuration(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.ledger.place == settings.ledger.path == tmp_path / "ledger.db"


def test_a_database_is_a_secret_with_a_name(tmp_path: Path) -> None:
    settings = read(tmp_path, with_ledger('{ url: "${LEDGER}", durability: local }'), {**ENVIRON, "LEDGER": URL})
    place = settings.ledger.place
    assert isinstance(place, Url)
    assert (place.text, str(place), settings.ledger.path) == (URL, "postgresql://db.example.com:5433/ledger", None)
    assert {PASSWORD, "key-canary-8"} <= settings.secrets
    shown = f"{settings!r} {settings.ledger} {place!r} {settings.warnings}"
    assert PASSWORD not in shown
    assert "key-canary-8" not in shown


def test_a_password_in_the_file_itself_is_a_warning(tmp_path: Path) -> None:
    (said,) = read(tmp_path, with_ledger(f'{{ url: "{URL}", durability: local }}')).warnings
    assert "ledger.url: is a secret in clear text" in said
    assert "canary" not in said
    assert (
        read(tmp_path, with_ledger("{ url: postgresql://syncd@db.example.com/ledger, durability: local }")).warnings
        == ()
    )


def test_how_durable_a_database_is_must_be_said(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, with_ledger("{ url: postgresql://h/d }"))
    assert said.endswith("ledger: durability must be said of a database: replicated (a synchronous standby), or local")
    (said,) = problems(tmp_path, with_ledger("{ path: a.db, durability: local }"))
    assert "durability is about a PostgreSQL database (url); leave it out for a file" in said
    place = read(tmp_path, with_ledger("{ url: postgresql://h/d, durability: replicated }")).ledger.place
    assert place == Url("postgresql://h/d", replicated=True)


def test_where_a_callback_goes_while_no_ledger_answers(tmp_path: Path) -> None:
    """Unless it is said: to the disk, where the provider is not known to send it again."""
    settings = read(tmp_path, GOOD)
    assert settings.connections["owl"].on_ledger_down is OnLedgerDown.SPOOL
    assert settings.callbacks is not None
    assert settings.callbacks.spool.path == tmp_path / "spool.db"
    changed = GOOD.replace("callbacks:\n", "callbacks:\n  spool: { path: /var/lib/s.db, limit: 5MB }\n  drain: 3s\n", 1)
    told = read(tmp_path, changed).callbacks
    assert told is not None
    assert (str(told.spool.path), told.spool.limit, told.drain) == ("/var/lib/s.db", 5_000_000, 3.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ keep: { raw: 2w } }", "ledger: needs one of path (a file) and url (a PostgreSQL database)"),
        ("{ path: a.db, url: postgresql://h/d }", "ledger: needs one of path (a file) and url (a PostgreSQL database)"),
        (
            f"{{ url: mysql://syncd:{PASSWORD}@h/d }}",
            "ledger.url: is no PostgreSQL database; write postgresql://user@host/d",
        ),
        (
            "{ url: ledger.db, durability: local }",
            "ledger.url: is no PostgreSQL database; write postgresql://user@host/database",
        ),
        ("{ url: postgresql://host }", "ledger.url: is no PostgreSQL database; write postgresql://user@host/database"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = problems(tmp_path, with_ledger(text))
    assert problem.startswith(f"c.yaml:1: {said}")
    assert "canary" not in problem


def test_what_needs_a_file_says_so() -> None:
    with pytest.raises(LedgerError, match=r"^the ledger is in PostgreSQL \(postgresql://h/d\): use pg_dump$"):
        file_of(Url(f"postgresql://syncd:{PASSWORD}@h/d"), "use pg_dump")


def test_a_file_is_held_by_one_process(tmp_path: Path) -> None:
    with only_daemon(tmp_path / "ledger.db"), engine_of(tmp_path / "ledger.db").held(alone=True) as mine:
        assert not mine


def test_a_lease_is_as_long_as_it_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).ledger.lease == claims.LEASE
    told = with_ledger('{ url: "${LEDGER}", durability: local, lease: 45s }')
    assert read(tmp_path, told, {**ENVIRON, "LEDGER": URL}).ledger.lease == 45
    too_short = with_ledger("{ path: ledger.db, lease: 2s }")
    assert any("ledger.lease" in one for one in problems(tmp_path, too_short))
