"""Our own writes come back to us, and other programs write too: the ledger knows which is which."""

from syncd.contract.model import Author

from .harness import EMAIL, Harness

MAIL = "ada@acme.example.com"


def test_pitfall_42_another_program_s_value_is_not_taken_for_ours(harness: Harness) -> None:
    """Who wrote last may be a tool that shares our user: what proves a write is the ledger's own row."""
    contact = harness.person()
    harness.finds(contact, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.crm.edit(contact, "email", "other@acme.example.com", by=Author.MACHINE)
    harness.finish()
    assert harness.held(contact) == "other@acme.example.com"
    assert harness.reason(contact) == "human_value_kept"
    assert harness.sql("SELECT count(*) FROM write") == [(0,)]


def test_pitfall_44_what_a_flow_changes_after_our_write_starts_no_circle(harness: Harness) -> None:
    """Our write moves the record's stamp, and the org's flows move it again: each pull brings it once
    more, and nothing is asked, bought or written for it."""
    contact = harness.person()
    harness.finds(contact, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.reason(contact) == "written"
    calls, writes = len(harness.fake.submitted), harness.crm.calls.count("write")
    for number in range(3):
        harness.crm.edit(contact, "title", f"stamped by a flow {number}", by=Author.MACHINE)
        harness.ask()
        harness.finish()
    assert len(harness.fake.submitted) == calls
    assert harness.crm.calls.count("write") == writes
    assert harness.job(contact) == ("done", "written")
    assert harness.credits()["reserved"] == 0
