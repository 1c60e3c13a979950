"""SQLite as the ledger uses it: that of pysqlite3 where it is installed, for it has no WAL-reset bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["sqlite3"]

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:  # the ledger says what is missing, when it is opened
        import sqlite3
