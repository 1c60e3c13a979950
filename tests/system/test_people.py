"""Colleagues and syncd in the same records: what a person set stays, or comes back and is counted."""

from pathlib import Path

from .rig import Daemon, Vendors, answer, ask, assert_right, until

THEIRS = "+442079460997"


def test_an_edit_between_pull_and_write_survives(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, faults=["fullenrich_slow:*:900"]) as vendors:
        with Daemon(vendors, ("--once",)) as daemon:
            asked = "SELECT count(*) FROM submission WHERE provider = 'fullenrich' AND state = 'accepted'"
            daemon.wait_for("a paid call", lambda: ask(vendors.ledger, asked))
            edited = _lacking_phone(vendors)[::2]
            for contact in edited:
                vendors.post("edit", id=contact, property="phone", value=THEIRS)
            assert daemon.wait() == 0, daemon.tail()
        assert_right(vendors)
        assert all(vendors.contact(contact)["phone"] == THEIRS for contact in edited)
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'human_value_kept'") > 0


def test_an_edit_between_read_and_write_is_put_back_and_counted(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2) as vendors:
        for contact in _lacking_phone(vendors):
            vendors.post("edit", id=contact, property="phone", value=THEIRS, when="before_write")
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 0, daemon.tail()
        assert_right(vendors)
        restored = ask(vendors.ledger, "SELECT n FROM tally WHERE name = 'races_put_right'")
        kept = "SELECT count(*) FROM job WHERE field = 'phone' AND reason = 'human_value_kept'"
        assert restored == ask(vendors.ledger, kept) > 5
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE field = 'phone' AND reason = 'written'") == 0
        assert len(daemon.lines("race_put_right")) == restored


def test_what_a_colleague_clears_during_the_run_stays_clear(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, faults=["fullenrich_slow:*:900"]) as vendors:
        with Daemon(vendors) as daemon:
            asked = "SELECT count(*) FROM submission WHERE provider = 'fullenrich' AND state = 'accepted'"
            daemon.wait_for("a paid call", lambda: ask(vendors.ledger, asked))
            for contact in (cleared := _lacking_phone(vendors)[:6]):
                vendors.post("edit", id=contact, property="phone", value=THEIRS)
                vendors.post("edit", id=contact, property="phone", value="")
            daemon.wait_for("the end of it", lambda: not ask(vendors.ledger, UNDONE))
            assert daemon.terminate() == 0
        until("a right CRM", lambda: vendors.judge()["ok"])
        assert [vendors.contact(contact)["phone"] for contact in cleared] == [None] * len(cleared)


UNDONE = "SELECT count(*) FROM job WHERE state <> 'done'"


def _lacking_phone(vendors: Vendors) -> list[str]:
    """Ids of the contacts that lack a phone, as `plan` sees them without a ledger."""
    if not vendors.ledger.exists():
        jobs = answer("plan", "--list", "-c", vendors.config)["jobs"]
        return [job["contact"].rpartition("/")[2] for job in jobs if job["field"] == "phone" and job["provider"]]
    found = vendors.get("state")["contacts"]
    return [one["id"] for one in found if not one["phone"] and not one["mobile"] and not one["gone"]]
