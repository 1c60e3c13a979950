"""Beside a running daemon: a person is erased and another one suppressed while calls about them are under way."""

from pathlib import Path

from .rig import Daemon, Vendors, answer, ask, charged, reading, syncd

UNDONE = "SELECT count(*) FROM job WHERE state <> 'done'"
ASKED = """SELECT contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref, contact.identity FROM job
JOIN contact ON contact.id = job.contact_id WHERE job.state = 'sent' AND job.provider = 'fullenrich' ORDER BY job.id"""


def test_late_answers_about_the_erased_and_the_suppressed_are_not_written(tmp_path: Path) -> None:
    """(Answers take a quarter of a minute, so that the commands are done before.)"""
    with Vendors(tmp_path, seed=2, faults=["fullenrich_slow:*:3600"]) as vendors:
        with Daemon(vendors) as daemon:
            erased, left, *_ = daemon.wait_for("two people who are asked about", lambda: _asked(vendors.ledger))
            before = vendors.contact(erased.rpartition("/")[2])
            told = answer("forget", erased, "--yes", "-c", vendors.config)
            assert (told["records"], told["wal_emptied"]) == ([erased], True)
            answer("suppress", "add", left, "--reason", "by phone", "-c", vendors.config)
            daemon.wait_for("the end of it", lambda: not ask(vendors.ledger, UNDONE))
            assert daemon.terminate() == 0, daemon.tail()
        assert ask(vendors.ledger, "SELECT n FROM tally WHERE name = 'answers_of_forgotten'") >= 1
        now = vendors.contact(erased.rpartition("/")[2])
        assert (now["email"], now["phone"]) == (before["email"], before["phone"])
        assert charged(vendors.ledger) == vendors.bill(), "what was answered is paid"
        with reading(vendors.ledger) as tx:
            rows = tx.execute("SELECT reason, note FROM job JOIN contact ON contact.id = contact_id WHERE ext_id = ?",
                              [left.rpartition("/")[2]]).fetchall()  # fmt: skip
        assert {row["reason"] for row in rows} == {"suppressed"}
        assert all("by phone" in row["note"] for row in rows)
        assert syncd("show", erased, "-c", vendors.config).returncode != 0
        assert answer("verify", "-c", vendors.config)["ok"]


def _asked(ledger: Path) -> list[str]:
    """Two people or more, each with a record of their own; nobody while there are fewer."""
    if not ask(ledger, "SELECT count(*) FROM job WHERE state = 'sent'"):
        return []
    with reading(ledger) as tx:
        alone = "AND (SELECT count(*) FROM contact AS kin WHERE kin.person = contact.person) = 1"
        refs = list(dict.fromkeys(row["ref"] for row in tx.execute(ASKED.replace("ORDER", f"{alone} ORDER"))))
    return refs if len(refs) > 1 else []
