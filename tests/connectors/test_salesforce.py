"""The Salesforce connector pulling and reading: what is asked, what is understood, where a cursor stands.

The numbers are those of the project's list of Salesforce pitfalls; each pitfall that the connector can show has
a named test. Writing is in `test_salesforce_write`, sessions and limits in `test_salesforce_line`, whole journeys
in `test_salesforce_sandbox`. Only the pipeline shows 4 (a cleared value stays cleared without a history), 42
(the ledger is the proof) and 44 (our own write comes back and starts nothing); 35 and 36 are in
`test_salesforce_bulk`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.salesforce import soql
from connectors.salesforce.answers import seconds
from connectors.salesforce.records import to18
from syncd.contract.errors import Retry, Unusable
from syncd.contract.model import ASKED, Author, Field, FieldMap, Finding, Level, Selection
from syncd.contract.ports import Crm
from tests.connectors.salesforce_play import (
    CONTACTS,
    LEADS,
    MAIL,
    PHONE,
    org,
    pages,
    pulled,
    read,
    using,
)
from tests.connectors.scripted_crm import Reply
from tests.connectors.scripted_org import COLLEAGUE, USER, ScriptedOrg, definition, record_id, refusal

EMAIL = Field.EMAIL
HOUR = 3_600.0


def where(condition: Any) -> Selection:
    return replace(CONTACTS, match={"where": condition})


# --- a pass -------------------------------------------------------------------------------------


def test_the_first_pull_goes_by_id_through_everything() -> None:
    with org() as crm:
        everybody = {crm.add(number) for number in range(450)}
        found = using(crm, pages, page=200)
        assert [len(page.contacts) for page in found] == [200, 200, 50]
        assert {c.ref.id for page in found for c in page.contacts} == everybody
        assert len(crm.queries) == 3 + 1  # and one to see whether a history is kept
        assert json.loads(json.dumps(found[0].cursor)) == found[0].cursor


def test_a_last_page_that_is_just_full_is_known_to_be_the_last() -> None:
    with org() as crm:
        for number in range(400):
            crm.add(number)
        found = using(crm, pages, page=200)
        assert [len(page.contacts) for page in found] == [200, 200]


def test_pitfall_17_a_pull_goes_on_where_the_limit_stopped_it() -> None:
    with org() as crm:
        everybody = {crm.add(number) for number in range(450)}
        limit = Reply(403, refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
        seen: list[Any] = []

        async def interrupted(connector: Crm) -> None:
            async for page in connector.pull(CONTACTS, None):
                seen.append(page)
                crm.on("/query", limit)

        with pytest.raises(Retry) as caught:
            using(crm, interrupted, page=200)
        assert caught.value.after == 900
        rest = using(crm, lambda c: pulled(c, seen[0].cursor), page=200)
        assert {c.ref.id for c in seen[0].contacts} | set(rest) == everybody
        assert len(rest) == 250


def test_pitfall_19_a_short_page_is_not_the_last() -> None:
    with org() as crm:
        everybody = sorted(crm.add(number) for number in range(5))
        rows = [crm.records[one] for one in everybody]
        crm.on("/query", Reply(400, refusal("INVALID_TYPE")))
        crm.on("/query", Reply(body={"totalSize": 5, "done": False, "records": rows[:2], "nextRecordsUrl": "/x"}))
        found = using(crm, pages)
        assert [[c.ref.id for c in page.contacts] for page in found] == [everybody[:2], everybody[2:]]


def test_pitfall_20_thousands_with_one_stamp() -> None:
    with org() as crm:
        cursor = using(crm, pages)[-1].cursor
        crm.clock.time += HOUR
        everybody = {crm.add(number, age=600.0) for number in range(1_000)}
        found = using(crm, lambda c: pages(c, cursor), page=200)
        assert [len(page.contacts) for page in found] == [200] * 5
        assert {c.ref.id for page in found for c in page.contacts} == everybody


def test_pitfall_21_a_row_that_was_committed_late() -> None:
    with org() as crm:
        cursor = using(crm, pages)[-1].cursor
        crm.clock.time += HOUR
        cursor = using(crm, lambda c: pages(c, cursor))[-1].cursor
        late = crm.add(1, age=500.0)  # stamped before the pass that did not see it
        older = crm.add(2, age=2_000.0)
        crm.clock.time += 60
        assert set(using(crm, lambda c: pulled(c, cursor))) == {late}
        crm.clock.time += 24 * HOUR
        assert set(using(crm, lambda c: pulled(c, cursor))) == {late, older}  # the nightly sweep


def test_the_newest_rows_are_left_to_the_next_pass() -> None:
    with org() as crm:
        cursor = using(crm, pages)[-1].cursor
        crm.clock.time += HOUR
        new = crm.add(1, age=5.0)
        first = using(crm, lambda c: pages(c, cursor))
        assert [page.contacts for page in first] == [()]
        crm.clock.time += 120
        assert set(using(crm, lambda c: pulled(c, first[-1].cursor))) == {new}


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_pitfall_22_our_own_clock_does_not_matter(ahead: float) -> None:
    with org() as crm:
        crm.ahead = ahead
        began = crm.now
        cursor = using(crm, pages)[-1].cursor
        assert abs(cursor["swept"] - began) <= 1
        crm.clock.time += 300
        new = crm.add(1, age=120.0)
        assert set(using(crm, lambda c: pulled(c, cursor))) == {new}


def test_a_cursor_without_progress_is_refused() -> None:
    with org() as crm:
        crm.add(1)
        stuck = Reply(body={"totalSize": 9, "done": False, "records": [], "nextRecordsUrl": "/x"})
        crm.on("/query", Reply(400, refusal("INVALID_TYPE")), stuck)
        with pytest.raises(Retry, match="shows none"):
            using(crm, pages)


# --- what is selected ---------------------------------------------------------------------------


def test_pitfall_10_only_what_can_be_seen_is_selected() -> None:
    with org() as crm:
        crm.add(1)
        using(crm, pages)
        assert "HasOptedOutOfEmail" not in crm.queries[-1]
        crm.fields["HasOptedOutOfEmail"] = definition("HasOptedOutOfEmail", type="boolean")
        using(crm, pages)
        assert "HasOptedOutOfEmail" in crm.queries[-1]
        findings = using(crm, lambda c: c.check([CONTACTS]))
        assert [f.what.split(" ")[0] for f in findings if f.level is Level.WARNING] == [
            "Contact.DoNotCall",
            "Contact",  # has no field that says LinkedIn
        ]


def test_pitfall_10_a_field_that_is_hidden_meanwhile() -> None:
    with org() as crm:
        one = crm.add(1)

        async def twice(connector: Crm) -> None:
            assert set(await pulled(connector)) == {one}
            crm.fields.pop("MailingCountry")
            assert set(await pulled(connector)) == {one}
            crm.fields.pop("Website")
            crm.fields.pop("Phone")
            with pytest.raises(Unusable, match="'Phone'") as caught:
                await pulled(connector)
            assert caught.value.cure

        using(crm, twice)
        assert len(crm.asked("/Contact/describe")) == 3


def test_pitfall_23_and_24_records_as_salesforce_nests_them() -> None:
    with org() as crm:
        employer = {"attributes": {"type": "Account"}, "Name": "Acme", "Website": "https://www.acme.example.com/en"}
        employed = crm.add(1, FirstName="Ada", LastName="Lovelace", Account=employer, MailingCountry="GB")
        private = crm.add(2, FirstName="Grace", Account=None, Email="grace@navy.example.com")
        found = using(crm, pulled)
        ada, grace = found[employed].identity, found[private].identity
        assert (ada.first_name, ada.last_name, ada.company) == ("Ada", "Lovelace", "Acme")
        assert (ada.domain, ada.country) == ("acme.example.com", "GB")
        assert (grace.company, grace.domain, grace.email) == (None, "navy.example.com", "grace@navy.example.com")
        assert found[private].values == {EMAIL: "grace@navy.example.com"}


def test_accounts_that_can_t_be_seen_are_done_without() -> None:
    with org() as crm:
        crm.on("/Account/describe", Reply(404, refusal("NOT_FOUND")))
        one = crm.add(1, FirstName="Ada")
        assert using(crm, pulled)[one].identity.company is None
        assert "Account." not in crm.queries[-1]


def test_leads_have_their_own_fields_and_converted_ones_are_left_out() -> None:
    with org("Lead") as crm:
        one = crm.add(1, Company="Acme", Website="acme.example.com", Country="France", IsConverted=False)
        crm.add(2, IsConverted=True)
        found = using(crm, lambda c: pulled(c, selection=LEADS))
        assert set(found) == {one}
        identity = found[one].identity
        assert (identity.company, identity.domain, identity.country) == ("Acme", "acme.example.com", "France")
        assert "IsConverted = false" in crm.queries[-1]
        assert "FROM Lead " in crm.queries[-1]


def test_the_linkedin_field_is_found_or_set() -> None:
    with org() as crm:
        profile = "https://www.linkedin.com/in/ada"
        crm.fields["LinkedIn_Notes__c"] = definition("LinkedIn_Notes__c")
        crm.fields["Profile__c"] = definition("Profile__c", type="url", label="LinkedIn profile")
        one = crm.add(1, Profile__c=profile, LinkedIn_Notes__c="notes")
        assert using(crm, pulled)[one].identity.linkedin_url == profile
        chosen = using(crm, pulled, linkedin_field="LinkedIn_Notes__c")
        assert chosen[one].identity.linkedin_url == "notes"


def test_pitfall_32_person_accounts_are_shown_with_a_reason() -> None:
    with org() as crm:
        crm.fields["IsPersonAccount"] = definition("IsPersonAccount", type="boolean")
        person, contact = crm.add(1, IsPersonAccount=True), crm.add(2, IsPersonAccount=False)
        found = using(crm, pulled)
        assert found[person].blocked == dict.fromkeys(ASKED, "person_account")
        assert found[contact].blocked == {}


def test_pitfall_33_who_opted_out_of_one_channel_is_left_alone_there() -> None:
    with org() as crm:
        for name in ("HasOptedOutOfEmail", "DoNotCall"):
            crm.fields[name] = definition(name, type="boolean")
        mail, call = crm.add(1, HasOptedOutOfEmail=True), crm.add(2, DoNotCall=True)
        found = using(crm, pulled)
        assert found[mail].blocked == {EMAIL: "opted_out"}
        assert found[call].blocked == {Field.PHONE: "opted_out"}
        assert read(crm, mail)[mail].blocked == {EMAIL: "opted_out"}


def test_pitfall_34_a_bounced_address_is_an_address() -> None:
    with org() as crm:
        crm.fields["EmailBouncedDate"] = definition("EmailBouncedDate")
        one = crm.add(1, Email=MAIL, EmailBouncedDate="2026-01-01T00:00:00.000+0000")
        assert using(crm, pulled)[one].values == {EMAIL: MAIL}


def test_pitfall_26_quotes_in_values_never_meet_a_query() -> None:
    with org() as crm:
        one = crm.add(1, FirstName="Miles", LastName="O'Brien \\ 100 %", Email="o'brien@example.com")
        identity = using(crm, pulled)[one].identity
        assert (identity.last_name, identity.email) == ("O'Brien \\ 100 %", "o'brien@example.com")
        assert not any("Brien" in query for query in crm.queries)
        with pytest.raises(ValueError, match="no id"):
            soql.after_id("003' OR Name != '")


def test_pitfall_27_moments_have_a_zone() -> None:
    assert soql.moment(1_790_000_000.9) == "2026-09-21T14:13:20Z"
    assert seconds("2026-09-21T14:13:20.000+0000") == 1_790_000_000
    assert seconds("2026-09-21T15:13:20.000+0100") == 1_790_000_000
    for odd in ("2026-09-21T14:13:20.000", "", "yesterday"):
        with pytest.raises(Retry):
            seconds(odd)


@pytest.mark.parametrize(
    ("short", "long"), [("0015e00000abcDE", "0015e00000abcDEAAY"[:15]), ("003000000000001", "003000000000001AAA")]
)
def test_pitfall_31_ids_keep_their_case(short: str, long: str) -> None:
    made = to18(short)
    assert made is not None
    assert made.startswith(long[:15])
    assert to18(made) == made
    assert to18(short.swapcase()) != made or short.upper() == short.lower()
    assert [to18(odd) for odd in ("", "501", "0" * 16, "0030000000000é1", "003-00000000001")] == [None] * 5


# --- the operator's condition -------------------------------------------------------------------


def test_the_operator_s_condition_is_put_in_brackets() -> None:
    with org() as crm:
        crm.add(1)
        using(crm, lambda c: pages(c, selection=where("OwnerId = '005x' OR Title LIKE '%(x%'")))
        assert " AND (OwnerId = '005x' OR Title LIKE '%(x%') ORDER BY Id" in crm.queries[-1]


BAD = ["", 7, "a = 1) OR (b = 1", "((a = 1)", "a = 'x", "a = 1; b", "a = 1 -- b", "a = 1 /* b", "a = \x00", "a = '\\'"]


@pytest.mark.parametrize("condition", BAD)
def test_a_condition_that_could_break_out_is_refused(condition: Any) -> None:
    with org() as crm:
        findings = using(crm, lambda c: c.check([where(condition)]))
        errors = [f for f in findings if f.level is Level.ERROR]
        assert errors
        assert all("match.where" in f.what and f.cure for f in errors)
        with pytest.raises(Unusable, match=r"match\.where"):
            using(crm, lambda c: pages(c, selection=where(condition)))
        assert crm.queries == []


@pytest.mark.parametrize(
    "condition", ["Name = 'O\\'Brien (sen.'", "AccountId IN (SELECT Id FROM Account)", "a = '--;'"]
)
def test_a_condition_in_good_order_is_left_as_it_is(condition: str) -> None:
    assert soql.problems(where(condition)) == []


def test_check_asks_salesforce_about_the_condition() -> None:
    with org() as crm:
        crm.on("/query", Reply(400, refusal("INVALID_TYPE")))
        crm.on("/query", Reply(400, refusal("MALFORMED_QUERY", "unexpected token: 'Nmae'")))
        findings = using(crm, lambda c: c.check([where("Nmae IS 'x'")]))
        [error] = [f for f in findings if f.level is Level.ERROR]
        assert "unexpected token: 'Nmae'" in error.what
        assert error.cure


def test_a_condition_too_long_for_an_address_is_found() -> None:
    with org() as crm:
        findings = using(crm, lambda c: c.check([where(f"Title = '{'%' * 5_000}'")]))
        assert any("too long" in f.what for f in findings if f.level is Level.ERROR)


# --- reading ------------------------------------------------------------------------------------


def test_reading_two_thousand_costs_one_call() -> None:
    with org() as crm:
        records = [crm.add(number, Email=f"p{number}@example.com") for number in range(2_000)]
        found = read(crm, *records)
        assert all(found[one].values == {EMAIL: f"p{n}@example.com"} for n, one in enumerate(records))
        assert len(crm.asked("/composite/sobjects/Contact")) == 1


def test_pitfall_09_merges_are_followed_to_their_end() -> None:
    with org() as crm:
        first, second, last = record_id(1), record_id(2), crm.add(3, Email=MAIL)
        crm.merged = {first: second, second: last}
        found = read(crm, first, second, last, record_id(4))
        assert {found[one].current for one in (first, second, last)} == {found[last].ref}
        assert found[first].values == {EMAIL: MAIL}
        assert found[record_id(4)].current is None
        assert len(crm.asked("/queryAll")) == 3


def test_pitfall_09_and_25_many_lost_records_are_asked_about_in_parts() -> None:
    with org() as crm:
        winner = crm.add(5_000)
        lost = [record_id(number) for number in range(900)]
        crm.merged = {lost[899]: winner}
        found = read(crm, *lost)
        assert [one for one in lost if found[one].current] == [lost[899]]
        asked = crm.asked("/queryAll")
        assert max(len(request.path) for request in asked) < 16_000
        assert len(asked) == 3 + 3


def test_pitfall_31_a_short_id_reads_as_itself() -> None:
    with org() as crm:
        one = crm.add(1)
        found = read(crm, one[:15], "501", "003' OR Name != '")
        assert found[one[:15]].current == found[one[:15]].ref
        assert {found[odd].current for odd in ("501", "003' OR Name != '")} == {None}


def history(crm: ScriptedOrg, one: str, *entries: tuple[str, str | None, str]) -> None:
    """Entries of a field history: field, new value, author; oldest first."""
    crm.history = crm.history or []
    for field, value, by in entries:
        at = datetime.fromtimestamp(crm.now + len(crm.history), UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        row = {"ContactId": one, "Field": field, "NewValue": value, "CreatedById": by, "CreatedDate": at}
        crm.history.append(row)


def test_pitfall_04_a_tracked_field_that_a_person_cleared() -> None:
    with org() as crm:
        cleared, undone, other = crm.add(1), crm.add(2), crm.add(3)
        history(crm, cleared, ("Email", MAIL, USER), ("Email", None, COLLEAGUE))
        history(crm, undone, ("Email", MAIL, COLLEAGUE), ("Email", None, USER))
        history(crm, other, ("Phone", PHONE, COLLEAGUE))
        found = using(crm, pulled)
        assert found[cleared].blocked == {EMAIL: "cleared_by_person"}
        assert found[undone].blocked == found[other].blocked == {}
        versions = read(crm, cleared)[cleared].versions[EMAIL]
        assert [(v.value, v.by) for v in versions] == [("", Author.PERSON), (MAIL, Author.MACHINE)]


def test_a_history_of_many_costs_one_call_per_two_thousand() -> None:
    with org() as crm:
        records = [crm.add(number) for number in range(2_000)]
        for one in records[::100]:
            history(crm, one, ("Email", MAIL, COLLEAGUE))
        found = read(crm, *records)
        assert sum(len(found[one].versions[EMAIL]) for one in records) == 20
        assert [len(r.body["compositeRequest"]) for r in crm.asked("/composite")] == [5]


def test_where_nothing_is_tracked_nothing_is_asked() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.history = []
        assert read(crm, one)[one].versions == {EMAIL: (), Field.PHONE: ()}
        assert crm.asked("/composite") == []


# --- check --------------------------------------------------------------------------------------


def test_check_changes_nothing_and_is_content() -> None:
    with org() as crm:
        crm.fields["LinkedIn__c"] = definition("LinkedIn__c", type="url")
        for name in ("HasOptedOutOfEmail", "DoNotCall"):
            crm.fields[name] = definition(name, type="boolean")
        findings = using(crm, lambda c: c.check([CONTACTS]))
        assert {f.level for f in findings} == {Level.OK}
        assert any("profiles in LinkedIn__c" in f.what for f in findings)
        assert any("18 of 5000" in f.what for f in findings)
        assert {request.method for request in crm.seen if "oauth2" not in request.path} == {"GET"}


def test_check_names_every_wrong_field_and_its_cure() -> None:
    with org() as crm:
        crm.fields["Phone"] = definition("Phone", updateable=False)
        crm.fields["Born"] = definition("Born", type="date")
        crm.fields["Notes"] = definition("Notes", type="textarea", filterable=False)
        hints = {"email": "write Email", "Phone": "edit access", "Born": "another", "Notes": "another"}
        for name, hint in hints.items():
            errors = mistakes(crm, name)
            assert errors
            assert all(name in f.what and hint in f.cure for f in errors)


def mistakes(crm: ScriptedOrg, name: str) -> list[Finding]:
    """What a check says of e-mails that are kept in this field."""
    chosen = Selection(object="contacts", fields={EMAIL: FieldMap(property=name)})
    return [f for f in using(crm, lambda c: c.check([chosen])) if f.level is Level.ERROR]


@pytest.mark.parametrize("body", [{"updateable": False, "fields": []}, {"fields": []}])
def test_check_of_an_object_without_rights(body: dict[str, Any]) -> None:
    with org() as crm:
        crm.on("/Contact/describe", Reply(body=body))
        findings = using(crm, lambda c: c.check([CONTACTS]))
        assert [f for f in findings if f.level is Level.ERROR and f.cure]


def test_an_object_that_salesforce_can_t_be_synced_by() -> None:
    with org() as crm:
        findings = using(crm, lambda c: c.check([Selection(object="deals", fields={})]))
        assert [f.level for f in findings if "deals" in f.what] == [Level.ERROR]
