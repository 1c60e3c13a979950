"""Reading from the emulated Salesforce org: ids, describes, queries, pages, retrieves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.sandbox.people import Quirk, Trait
from syncd.sandbox.salesforce import ids
from syncd.sandbox.salesforce.replies import stamp

from .org import BASE, Org, answered, http_date, org, refusal


@pytest.fixture(scope="module")
def some() -> Iterator[Org]:
    """An org that no test changes."""
    with org() as one:
        yield one


# --- ids ---


@pytest.mark.parametrize(
    ("short", "full"),
    [("001A0000006Vm9r", "001A0000006Vm9rIAC"), ("003RM0000068og4", "003RM0000068og4YAA")],
)
def test_ids_have_the_checksum_that_real_ones_have(short: str, full: str) -> None:
    assert ids.parse(short) == ids.parse(full) == ids.parse(full.upper()) == ids.parse(full.lower()) == full


@pytest.mark.parametrize("bad", ["", "003", "003RM0000068og4YAB", "003RM0000068og4YA!", "003RM0000068og-", None, 5])
def test_what_is_no_id(bad: Any) -> None:
    assert ids.parse(bad) is None


def test_ids_sort_as_their_numbers() -> None:
    made = [ids.make("003", number) for number in range(3_800_000, 3_804_000, 7)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


# --- describe ---


def fields(one: Org, kind: str) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in answered(one.get(f"/sobjects/{kind}/describe"))["fields"]}


def test_describe_tells_types_lengths_and_rights(some: Org) -> None:
    contact = fields(some, "Contact")
    assert (contact["Email"]["type"], contact["Email"]["length"], contact["Email"]["updateable"]) == ("email", 80, True)
    assert (contact["Phone"]["type"], contact["Phone"]["length"]) == ("phone", 40)
    assert contact["SystemModstamp"]["updateable"] is False
    assert contact["LinkedIn_Profile__c"]["custom"] is True
    assert contact["AccountId"]["relationshipName"] == "Account"
    assert not {"HasOptedOutOfEmail", "DoNotCall", "IsPersonAccount"} & set(contact)
    assert {"Company", "Website", "IsConverted", "ConvertedContactId"} <= set(fields(some, "lead"))
    assert {"Name", "Website"} <= set(fields(some, "Account"))
    refusal(some.get("/sobjects/Opportunity/describe"), 404, "NOT_FOUND")
    assert {"Contact", "Lead"} <= {one["name"] for one in answered(some.get("/sobjects"))["sobjects"]}


def test_admins_decide_which_fields_there_are() -> None:
    options: dict[str, Any] = {"opt_outs": True, "person_accounts": True, "linkedin_field": "LinkedIn__c"}
    with org(5, 5, without_fields=("Contact.MobilePhone",), read_only_fields=("Contact.Email",), **options) as one:
        contact = fields(one, "Contact")
        assert {"HasOptedOutOfEmail", "DoNotCall", "IsPersonAccount", "LinkedIn__c"} <= set(contact)
        assert "MobilePhone" not in contact
        assert "MobilePhone" in fields(one, "Lead")
        assert contact["Email"]["updateable"] is False
        refusal(one.query("SELECT MobilePhone FROM Contact"), 400, "INVALID_FIELD")
        one.sandbox.faults.add("salesforce_field_hidden:*:Contact.Title,Contact.Phone")
        assert not {"Title", "Phone"} & set(fields(one, "Contact"))


def test_describes_are_conditional(some: Org) -> None:
    later = {"If-Modified-Since": "Sat, 21 Nov 2099 10:00:01 GMT"}
    assert some.get("/sobjects/Contact/describe", headers=later).status_code == 304


# --- SOQL: what it finds ---


def test_records_have_attributes_nested_parents_and_stamps_of_seconds(some: Org) -> None:
    soql = "SELECT Id, Email, Account.Name, account.website, SystemModstamp, IsDeleted FROM Contact ORDER BY Id"
    body = answered(some.query(soql))
    assert body["done"] is True
    assert body["totalSize"] == len(body["records"]) == 60
    assert "nextRecordsUrl" not in body
    by_account = {one["Account"] is None: one for one in body["records"]}
    one = by_account[False]
    assert one["attributes"] == {"type": "Contact", "url": f"{BASE}/sobjects/Contact/{one['Id']}"}
    assert list(one) == ["attributes", "Id", "Email", "Account", "SystemModstamp", "IsDeleted"]
    assert set(one["Account"]) == {"attributes", "Name", "Website"}
    assert one["SystemModstamp"].endswith(".000+0000")
    assert one["IsDeleted"] is False
    assert by_account[True]["Account"] is None


def test_text_compares_whatever_its_case_and_inequality_finds_null(some: Org) -> None:
    emails = [one for one in some.column("SELECT Email FROM Contact") if one]
    assert some.column(f"SELECT Email FROM Contact WHERE email = '{emails[0].upper()}'") == [emails[0]]
    assert len(some.column(f"SELECT Email FROM Contact WHERE Email != '{emails[0]}'")) == 59
    assert None in some.column(f"SELECT Email FROM Contact WHERE Email NOT IN ('{emails[0]}')")
    assert set(some.column("SELECT Email FROM Contact WHERE Email != null")) == set(emails)
    assert set(some.column("select EMAIL from CONTACT where Email = NULL")) == {None}
    assert some.column("SELECT Id FROM Contact WHERE Email IN ('nobody@mail.example')") == []


def test_conditions_combine(some: Org) -> None:
    lacking = "(Email = null OR (Phone = null AND MobilePhone = null))"
    found = some.rows(f"SELECT Id, Email, Phone, MobilePhone FROM Contact WHERE {lacking}")
    wanted = {some.id(r) for r in some.sandbox.world.salesforce.records[:60] if r.lacks("email") or r.lacks("phone")}
    assert {one["Id"] for one in found} == wanted
    neither = some.column(f"SELECT Id FROM Contact WHERE NOT {lacking}")
    assert len(neither) + len(wanted) == 60
    both = some.column("SELECT Id FROM Contact WHERE Email != null AND (NOT (Phone = null))")
    assert set(both) < set(some.column("SELECT Id FROM Contact WHERE Email != null"))


def test_patterns(some: Org) -> None:
    names = some.column("SELECT LastName FROM Lead")
    found = some.column("SELECT LastName FROM Lead WHERE LastName LIKE '%ER%'")
    assert sorted(found) == sorted(one for one in names if "er" in one.lower())
    assert some.column("SELECT LastName FROM Lead WHERE LastName LIKE 'er'") == []
    assert some.column("SELECT LastName FROM Lead WHERE LastName LIKE '\\%er'") == []


def test_quotes_and_unicode_are_escaped() -> None:
    with org(1, 1) as one:
        row = one.records.ids[0]
        for name in ("O'Brien", "a\\b", 'say "hi"', "李", "50%_"):
            one.records.human_edit(row, "LastName", name)
            written = name.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
            assert one.column(f"SELECT LastName FROM Contact WHERE LastName = '{written}'") == [name]


def test_times_compare_in_any_zone(some: Org) -> None:
    stamps = sorted(some.column("SELECT SystemModstamp FROM Contact"))
    middle = stamps[30]
    utc = middle.replace(".000+0000", "Z")
    for written in (utc, middle.replace(".000+0000", "+00:00")):
        found = some.column(f"SELECT SystemModstamp FROM Contact WHERE SystemModstamp >= {written}")
        assert sorted(found) == [one for one in stamps if one >= middle]
    window = f"SystemModstamp < {utc} AND SystemModstamp >= 1999-01-01T00:00:00Z"
    assert len(some.column(f"SELECT Id FROM Contact WHERE {window}")) == sum(one < middle for one in stamps)


def test_booleans_parents_and_users(some: Org) -> None:
    assert len(some.column("SELECT Id FROM Lead WHERE IsConverted = false")) == 40
    assert some.column("SELECT Id FROM Lead WHERE IsConverted = true") == []
    account = some.rows("SELECT Id, Name FROM Account LIMIT 1")[0]
    of_it = some.column(f"SELECT AccountId FROM Contact WHERE Account.Name = '{account['Name']}'")
    assert set(of_it) == {account["Id"]}
    assert some.rows("SELECT Contact.Owner.Name FROM Contact LIMIT 1")[0]["Owner"]["Name"] == "Sam Seller"
    (organization,) = some.rows("SELECT Id, IsSandbox FROM Organization")
    assert organization["Id"].startswith("00D")


def test_order_limit_offset_and_count(some: Org) -> None:
    ids_ = some.column("SELECT Id FROM Contact ORDER BY Id")
    assert ids_ == sorted(ids_)
    assert some.column("SELECT Id FROM Contact ORDER BY Id LIMIT 7 OFFSET 3") == ids_[3:10]
    assert some.column("SELECT Id FROM Contact ORDER BY Id DESC LIMIT 2") == ids_[:-3:-1]
    assert some.column(f"SELECT Id FROM Contact WHERE Id > '{ids_[40]}' ORDER BY Id LIMIT 3") == ids_[41:44]
    assert some.column(f"SELECT Id FROM Contact WHERE Id IN ('{ids_[5]}', '{ids_[2][:15]}')") == [ids_[2], ids_[5]]
    emails = some.column("SELECT Email FROM Contact ORDER BY Email")
    nulls = emails.count(None)
    assert emails[:nulls] == [None] * nulls
    assert emails[nulls:] == sorted(emails[nulls:])
    assert some.column("SELECT Email FROM Contact ORDER BY Email ASC NULLS LAST") == emails[nulls:] + [None] * nulls
    assert some.column("SELECT Email FROM Contact ORDER BY Email DESC NULLS FIRST")[:nulls] == [None] * nulls
    two = some.rows("SELECT SystemModstamp, Id FROM Contact ORDER BY SystemModstamp ASC, Id ASC")
    assert two == sorted(two, key=lambda one: (one["SystemModstamp"], one["Id"]))
    assert answered(some.query("SELECT COUNT() FROM Contact")) == {"totalSize": 60, "done": True, "records": []}


# --- SOQL: what it refuses ---


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("SELEKT Id FROM Contact", "MALFORMED_QUERY", "unexpected token: SELEKT"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "'<EOF>'"),
        ("SELECT Id, FROM Contact", "MALFORMED_QUERY", "Row:1:Column:12"),
        ("SELECT Id FROM Contact WHERE Email = null AND Phone = null OR Fax = null", "MALFORMED_QUERY", "'OR'"),
        ("SELECT Id FROM Contact WHERE Email = null AND NOT Phone = null", "MALFORMED_QUERY", "'NOT'"),
        ("SELECT Id FROM Contact WHERE Email IN ()", "MALFORMED_QUERY", "')'"),
        ("SELECT Id FROM Contact WHERE Email = 'x", "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Id FROM Contact WHERE Email == 'x'", "MALFORMED_QUERY", "'='"),
        ("SELECT Id FROM Contact WHERE Email IS NULL", "MALFORMED_QUERY", "'IS'"),
        ("SELECT * FROM Contact", "MALFORMED_QUERY", "*"),
        ("SELECT Id FROM Contact WHERE LastName = 'a\\z'", "MALFORMED_QUERY", "Illegal character sequence"),
        ("SELECT Id FROM Contact LIMIT x", "MALFORMED_QUERY", "'x'"),
        ("SELECT Id, id FROM Contact", "MALFORMED_QUERY", "duplicate field selected: Id"),
        ("SELECT Id FROM Contact LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("SELECT Bacon__c FROM Account LIMIT 2", "INVALID_FIELD", "No such column 'Bacon__c' on entity 'Account'"),
        ("SELECT Id FROM Lead WHERE HasOptedOutOfEmail = false", "INVALID_FIELD", "HasOptedOutOfEmail"),
        ("SELECT Acct.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Acct'"),
        ("SELECT Id FROM Accout", "INVALID_TYPE", "sObject type 'Accout' is not supported"),
        ("SELECT Id FROM ContactHistory", "INVALID_TYPE", "ContactHistory"),
        ("SELECT Id FROM Contact WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: abc"),
        ("SELECT Id FROM Contact WHERE Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD", "not be enclosed"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01T00:00:00", "MALFORMED_QUERY", ""),
        ("SELECT Id FROM Contact WHERE SystemModstamp > 2026-13-01T00:00:00Z", "MALFORMED_QUERY", "invalid dateTime"),
        ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Lead WHERE IsConverted = 'true'", "INVALID_FIELD", "boolean and should not be"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("", "MALFORMED_QUERY", "has to be specified"),
    ],
)
def test_bad_queries_are_refused(some: Org, soql: str, code: str, words: str) -> None:
    assert words in refusal(some.query(soql), 400, code)


def test_an_error_points_into_the_query(some: Org) -> None:
    message = refusal(some.query("SELECT Bacon__c FROM Account LIMIT 2"), 400, "INVALID_FIELD")
    assert message.startswith(
        "\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column"
    )
    message = refusal(some.query("SELECT Id\nFROM Accout"), 400, "INVALID_TYPE")
    assert message.startswith("\nFROM Accout\n     ^\nERROR at Row:2:Column:6\n")


def test_addresses_have_a_greatest_length(some: Org) -> None:
    long = "SELECT Id FROM Contact WHERE LastName = '{}'"
    assert some.query(long.format("x" * 16_400)).status_code == 414
    assert some.query(long.format("x" * 4_200)).status_code == 400
    assert some.query("SELECT Id FROM Contact", filler="x" * 16_200).status_code == 431


# --- pages ---


def test_pages_are_a_snapshot_and_need_not_be_full() -> None:
    with org(450, 0) as one:
        soql = "SELECT Id, Title FROM Contact ORDER BY Id"
        first = answered(one.get("/query", params={"q": soql}, headers={"Sforce-Query-Options": "batchSize=10"}))
        assert (len(first["records"]), first["done"], first["totalSize"]) == (200, False, 450)
        where = first["nextRecordsUrl"]
        assert where.startswith(f"{BASE}/query/0r8")
        assert where.endswith("-200")
        one.records.human_edit(one.records.ids[300], "Title", "Emperor")
        second = answered(one.http.get(where))
        assert "Emperor" not in {record["Title"] for record in second["records"]}
        third = answered(one.http.get(second["nextRecordsUrl"]))
        assert (len(third["records"]), third["done"]) == (50, True)
        assert len({record["Id"] for page in (first, second, third) for record in page["records"]}) == 450
        one.sandbox.clock.skip(2 * 86_400 + 1)
        one.login()
        refusal(one.http.get(where), 400, "INVALID_QUERY_LOCATOR")
        one.sandbox.faults.add("salesforce_short_pages:*:100")
        assert len(one.rows(soql)) == 450
        again = answered(one.query(soql))["nextRecordsUrl"]
        one.sandbox.faults.add("salesforce_cursor_lost")
        refusal(one.http.get(again), 400, "INVALID_QUERY_LOCATOR")
        assert one.http.get(again).status_code == 200


# --- retrieves and single records ---


def test_a_retrieve_answers_in_order_with_null_for_what_is_not_there(some: Org) -> None:
    wanted = some.column("SELECT Id FROM Contact LIMIT 3")
    lead = some.column("SELECT Id FROM Lead LIMIT 1")[0]
    asked = [wanted[2], "003Wt00000zzzzzIAA", wanted[0][:15], lead, "rubbish"]
    found = answered(some.retrieve("Contact", asked, "id", "EMAIL", "SystemModstamp"))
    assert [one and one["Id"] for one in found] == [wanted[2], None, wanted[0], None, None]
    assert set(found[0]) == {"attributes", "Id", "Email", "SystemModstamp"}


def test_a_retrieve_is_refused_as_a_whole_for_what_it_lacks(some: Org) -> None:
    one = some.column("SELECT Id FROM Contact LIMIT 1")
    refusal(some.retrieve("Contact", one, "Id", "Nonsense"), 400, "INVALID_FIELD")
    refusal(some.retrieve("Contact", [], "Id"), 400, "MISSING_ARGUMENT")
    refusal(some.retrieve("Contact", one * 2001, "Id"), 400, "EXCEEDED_ID_LIMIT")
    assert len(answered(some.retrieve("Contact", one * 2000, "Id"))) == 2000
    listed = some.get("/composite/sobjects/Contact", params={"ids": one[0], "fields": "Id,Email"})
    assert answered(listed)[0]["Id"] == one[0]


def test_single_records_and_their_conditions(some: Org) -> None:
    row = some.column("SELECT Id FROM Contact LIMIT 1")[0]
    whole = answered(some.get(f"/sobjects/Contact/{row}"))
    assert {"Email", "LastName", "LinkedIn_Profile__c"} <= set(whole)
    since = http_date(whole["LastModifiedDate"])
    path = f"/sobjects/Contact/{row}"
    assert some.get(path, headers={"If-Modified-Since": since}).status_code == 304
    assert some.get(path, headers={"If-Modified-Since": "Sat, 21 Nov 1998 10:00:01 GMT"}).status_code == 200
    assert some.get(path, headers={"If-Unmodified-Since": since}).status_code == 200
    assert some.get(path, headers={"If-Unmodified-Since": "Sat, 21 Nov 1998 10:00:01 GMT"}).status_code == 412
    assert some.get(path, headers={"If-Unmodified-Since": "yesterday"}).status_code == 400
    assert "003Wt" in refusal(some.get("/sobjects/Contact/003Wt00000zzzzz"), 404, "NOT_FOUND")
    refusal(some.get("/sobjects/Contact/00QWt00000zzzzz"), 400, "MALFORMED_ID")
    refusal(some.get("/nowhere"), 404, "NOT_FOUND")
    refusal(some.http.post(f"{BASE}/sobjects/Contact/{row}", json={}), 405, "METHOD_NOT_ALLOWED")


# --- what became of records ---


def test_deleted_and_merged_records_are_only_in_query_all() -> None:
    with org(20, 0) as one:
        gone, loser, master = (one.records.ids[number] for number in (1, 2, 3))
        one.records.delete(gone)
        one.records.merge(master, loser)
        assert not {gone, loser} & set(one.column("SELECT Id FROM Contact"))
        rows = one.rows("SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = true", everything=True)
        assert {row["Id"]: row["MasterRecordId"] for row in rows} == {gone: None, loser: master}
        assert answered(one.retrieve("Contact", [gone, loser], "Id")) == [None, None]
        refusal(one.get(f"/sobjects/Contact/{loser}"), 404, "ENTITY_IS_DELETED")
        refusal(one.patch(loser, {"Title": "x"}), 404, "ENTITY_IS_DELETED")
        span = {"start": "2026-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}
        refusal(one.get("/sobjects/Contact/deleted", params=span), 400, "INVALID_REPLICATION_DATE")


def test_lists_of_what_changed_are_of_full_minutes() -> None:
    with org(20, 0) as one:
        one.sandbox.clock.skip(120 - one.sandbox.clock.now() % 60)
        changed, gone = one.records.ids[4], one.records.ids[5]
        one.records.human_edit(changed, "Title", "Buyer")
        one.records.delete(gone)
        start = one.sandbox.clock.now()
        one.sandbox.clock.skip(120)
        moments = zip(("start", "end"), (start, one.sandbox.clock.now()), strict=True)
        span = {name: datetime.fromtimestamp(moment, UTC).isoformat() for name, moment in moments}
        assert answered(one.get("/sobjects/Contact/updated", params=span))["ids"] == [changed]
        (record,) = answered(one.get("/sobjects/Contact/deleted", params=span))["deletedRecords"]
        assert record["id"] == gone


def test_rows_may_become_visible_late_with_an_older_stamp() -> None:
    with org(5, 0) as one:
        row, before = one.records.ids[0], one.records.now()
        one.records.human_edit(row, "Title", "Late", commit_in=30)
        new = one.records.add("Contact", {"LastName": "Later"}, commit_in=30)
        assert one.value(row, "Title") != "Late"
        assert new not in one.column("SELECT Id FROM Contact")
        refusal(one.patch(row, {"Title": "Mine"}), 400, "UNABLE_TO_LOCK_ROW")
        one.sandbox.clock.skip(31)
        found = {one_["Id"]: one_ for one_ in one.rows("SELECT Id, Title, SystemModstamp FROM Contact")}
        assert found[row]["Title"] == "Late"
        assert new in found
        assert all(found[key]["SystemModstamp"] <= stamp(before + 1) for key in (row, new))


def test_histories_are_there_if_an_admin_wants_them() -> None:
    with org(60, 0, quirks={Quirk.CLEARED: 0.05}, tracked_fields=("Email", "Phone", "MobilePhone")) as one:
        cleared = one.special(Quirk.CLEARED)
        name = "Email" if cleared.quirk_field == "email" else "Phone"
        soql = (
            "SELECT ContactId, Field, OldValue, NewValue, CreatedDate FROM ContactHistory "
            f"WHERE ContactId = '{one.id(cleared)}' AND Field IN ('Email', 'Phone') ORDER BY CreatedDate"
        )
        written, emptied = one.rows(soql)
        assert (written["OldValue"], written["NewValue"]) == (None, cleared.quirk_value)
        assert (emptied["Field"], emptied["OldValue"], emptied["NewValue"]) == (name, cleared.quirk_value, None)
        one.patch(one.id(cleared), {name: "x@acme.example" if name == "Email" else "+442079460001"})
        assert len(one.rows(soql)) == 3


def test_the_org_has_what_the_population_says() -> None:
    traits = (Trait.CONVERTED, Trait.PERSON_ACCOUNT, Trait.BOUNCED, Trait.DO_NOT_CALL)
    shares: dict[Quirk | Trait, float] = dict.fromkeys((*traits, Quirk.OPTED_OUT), 0.05)
    with org(60, 60, quirks=shares, opt_outs=True, person_accounts=True) as one:
        converted = one.rows("SELECT Id, ConvertedContactId, ConvertedDate FROM Lead WHERE IsConverted = true")
        assert len(converted) == 3
        assert {row["ConvertedContactId"][:3] for row in converted} == {"003"}
        assert all(len(row["ConvertedDate"]) == 10 for row in converted)
        people = one.rows("SELECT Email, Account.IsPersonAccount FROM Contact WHERE IsPersonAccount = true")
        assert [(row["Email"], row["Account"]["IsPersonAccount"]) for row in people] == [(None, True)] * 3
        bounced = one.rows("SELECT Email, IsEmailBounced FROM Contact WHERE EmailBouncedDate != null")
        assert [row["IsEmailBounced"] for row in bounced] == [True] * 3
        assert all(row["Email"] for row in bounced)
        assert len(one.rows("SELECT Id FROM Lead WHERE DoNotCall = true")) == 3
        assert len(one.rows("SELECT Id FROM Contact WHERE HasOptedOutOfEmail = true")) == 3
