"""Other releases of syncd: this one, with more changes of the ledger's tables than it has."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.system.rig import environment

ROOT = Path(__file__).parents[1]
ADDED = (
    """
ALTER TABLE job ADD COLUMN hint TEXT NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN hint TEXT;
ALTER TABLE submission ADD COLUMN hint INTEGER;
ALTER TABLE delivery ADD COLUMN hint REAL NOT NULL DEFAULT 0.5;
CREATE TABLE hint (job_id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE INDEX hint_text ON hint (text);
""",
    "CREATE INDEX job_hint ON job (hint, id);\n",
)
"""What a next release may add: two changes, the second one an index of a large table."""
NEEDED = "-- needs: 2\nALTER TABLE tally ADD COLUMN unit TEXT;\n"
"""A change with which this release can't work."""

OPEN = """
import sys
from pathlib import Path
from syncd.ledger.place import Url
from syncd.ledger.store import Ledger

place = sys.argv[1]
Ledger.open(Url(place) if "://" in place else Path(place)).close()
"""


def release(folder: Path, *changes: str) -> Path:
    """The folder of a release with these changes after those of this one, from which `python -m syncd` runs it."""
    for package in ("syncd", "connectors"):
        shutil.copytree(ROOT / package, folder / package)
    kept = folder / "syncd" / "ledger" / "changes"
    first = len(list(kept.glob("*.sql"))) + 2
    for number, text in enumerate(changes, first):
        (kept / f"{number:04}_of_a_test.sql").write_text(text.replace("needs: 2", f"needs: {number}"), "utf-8")
    return folder


def begin_to_open(release: Path, place: str) -> subprocess.Popen[str]:
    """Let a release open the ledger, as a daemon does; its process."""
    return subprocess.Popen(
        [sys.executable, "-c", OPEN, place],
        env=environment(PYTHONPATH=str(release)), cwd=release, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def open_with(release: Path, place: str) -> None:
    """The same, and it goes well."""
    process = begin_to_open(release, place)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
