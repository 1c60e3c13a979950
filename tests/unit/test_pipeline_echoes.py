"""Our own writes come back to us, and other programs write too: the ledger knows which is which."""

from syncd.contract.model import Author

from .house import EMAIL, House

MAIL = "ada@acme.example.com"


def test_pitfall_42_another_program_s_value_is_not_taken_for_ours(house: House) -> None:
    """Who wrote last may be a tool that shares our user: what proves a write is the ledger's own row."""
    contact = house.person()
    house.finds(contact, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.crm.edit(contact, "email", "other@acme.example.com", by=Author.MACHINE)
    house.finish()
    assert house.held(contact) == "other@acme.example.com"
    assert house.reason(contact) == "human_value_kept"
    assert house.sql("SELECT count(*) FROM write") == [(0,)]


def test_pitfall_44_what_a_flow_changes_after_our_write_starts_no_circle(house: House) -> None:
    """Our write moves the record's stamp, and the org's flows move it again: each pull brings it once
    more, and nothing is asked, bought or written for it."""
    contact = house.person()
    house.finds(contact, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    assert house.reason(contact) == "written"
    calls, writes = len(house.fake.submitted), house.crm.calls.count("write")
    for number in range(3):
        house.crm.edit(contact, "title", f"stamped by a flow {number}", by=Author.MACHINE)
        house.ask()
        house.finish()
    assert len(house.fake.submitted) == calls
    assert house.crm.calls.count("write") == writes
    assert house.job(contact) == ("done", "written")
    assert house.credits()["reserved"] == 0
