"""Whether a PostgreSQL keeps what it is said to keep: its settings, as a connection of ours sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sessions import Session

WAITS_FOR = "SELECT current_setting('synchronous_standby_names')"
_SETTINGS = """SELECT name, setting FROM pg_settings WHERE name IN ('synchronous_commit', 'synchronous_standby_names',
    'fsync', 'full_page_writes', 'idle_in_transaction_session_timeout', 'lock_timeout')"""
_STANDBYS = """SELECT count(*) AS n, count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS waited_for,
    count(*) FILTER (WHERE sync_state IS NULL) AS hidden FROM pg_stat_replication"""
_OURS = ("synchronous_commit", "idle_in_transaction_session_timeout", "lock_timeout")  # each connection sets them
_CURE = (
    "Set synchronous_standby_names (with Patroni: synchronous_mode and synchronous_mode_strict), start a standby, "
    "or say ledger.durability: local."
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a commit may not be kept, and what to do about it. `fatal`: syncd does not work with it."""

    what: str
    cure: str
    fatal: bool = True


def doubts(session: Session, *, replicated: bool) -> Iterator[Doubt]:
    """Everything that speaks against it, as far as this user may see. Raises psycopg.Error."""
    settings = dict(session.execute(_SETTINGS).fetchall())
    direct = session.value("SELECT pg_backend_pid()") == session.raw.info.backend_pid
    if not direct or settings["synchronous_commit"] not in ("on", "remote_apply") or "0" in map(settings.get, _OURS):
        what = "its connections lose their settings and locks, as through a pooler in transaction mode (PgBouncer)"
        yield Doubt(what, "Let ledger.url lead to the server itself.")
    for name in ("fsync", "full_page_writes"):
        if settings[name] == "off":
            yield Doubt(f"it runs with {name} = off: a power cut can lose what it has acknowledged", "", fatal=False)
    if replicated:
        yield from _alone(session, settings["synchronous_standby_names"])
    else:
        what = "ledger.durability is local: with the primary's host, its last moments can be lost, and bought again"
        yield Doubt(what, "For no loss: a synchronous standby, and ledger.durability: replicated.", fatal=False)


def _alone(session: Session, names: str) -> Iterator[Doubt]:
    """Does somebody else keep each commit, too?"""
    n, waited_for, hidden = session.execute(_STANDBYS).fetchone() or (0, 0, 0)
    if not names:
        yield Doubt("ledger.durability is replicated, and this PostgreSQL waits for no standby", _CURE)
    elif not n or not (waited_for or hidden):
        yield Doubt("ledger.durability is replicated, and no synchronous standby follows this PostgreSQL", _CURE)
    elif hidden and not waited_for:
        what = "this user may not see whether a synchronous standby follows (commits wait for one)"
        yield Doubt(what, "Let the user of ledger.url see it: GRANT pg_monitor TO it.", fatal=False)
