"""The emulated HubSpot over a real socket: searching, reading, companies, properties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.account import FAMILIES, Account, account, has, lacks, refusal, where


@pytest.fixture(scope="module", params=list(FAMILIES))
def shared(request: pytest.FixtureRequest) -> Iterator[Account]:
    """For tests that change nothing."""
    with account(300, family=request.param, unlimited=True) as one:
        yield one


@pytest.fixture(scope="module")
def plain() -> Iterator[Account]:
    """The same, on v3 paths only."""
    with account(300, unlimited=True) as one:
        yield one


# ---- searching


def test_the_pull_by_keyset_yields_exactly_those_who_lack_something(shared: Account) -> None:
    seen: list[str] = []
    last, total = "0", None
    while True:
        past = where("hs_object_id", "GT", last)
        groups = [[lacks("email"), past], [lacks("phone"), lacks("mobilephone"), past]]
        body = {
            "filterGroups": [{"filters": group} for group in groups],
            "sorts": ["hs_object_id"],
            "limit": 50,
            "after": "0",
            "properties": ["email", "phone"],
        }
        page = shared.post("search", body).json()
        total = page["total"] if total is None else total
        seen += [one["id"] for one in page["results"]]
        if "paging" not in page:
            break
        last = page["results"][-1]["id"]
    expected = {*shared.lacking("email"), *shared.lacking("phone")}
    assert set(seen) == expected
    assert len(seen) == len(expected) == total
    assert [int(one) for one in seen] == sorted(map(int, seen))


def test_results_say_null_for_unset_and_nothing_for_unknown(shared: Account) -> None:
    answer = shared.search(lacks("phone"), properties=["phone", "email", "no_such_property"])
    (one, *_) = answer.json()["results"]
    assert one["properties"]["phone"] is None
    assert "no_such_property" not in one["properties"]
    assert {"createdate", "hs_object_id", "lastmodifieddate"} <= set(one["properties"])
    assert {"id", "createdAt", "updatedAt", "archived", "url"} <= set(one)


def test_the_default_page_has_ten_and_a_cursor(plain: Account) -> None:
    page = plain.search().json()
    assert (page["total"], len(page["results"]), page["paging"]) == (300, 10, {"next": {"after": "10"}})
    assert set(page["results"][0]["properties"]) == {
        "createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"after": "here"},
        {"after": "10000"},
        {"after": "9900", "limit": 101},
        {"sorts": ["createdate", "email"]},
        {"sorts": ["no_such_property"]},
        {"filterGroups": [{"filters": [lacks("email")]}] * 6},
        {"filterGroups": [{"filters": [lacks("email")] * 7}]},
        {"filterGroups": [{"filters": [lacks("email")] * 5}] * 4},
        {"filterGroups": [{"filters": [lacks("no_such_property")]}]},
        {"filterGroups": [{"filters": [where("email", "EQ")]}]},
        {"filterGroups": [{"filters": [where("email", "IN", "a")]}]},
        {"filterGroups": [{"filters": [where("hs_object_id", "LT", "many")]}]},
        {"properties": ["a" * 50] * 60},
    ],
)
def test_what_a_search_refuses(plain: Account, body: dict[str, Any]) -> None:
    refusal(plain.post("search", body), 400)


def test_a_bad_operator_is_told_with_the_good_ones(plain: Account) -> None:
    message = refusal(plain.search(where("email", "EQUALS", "x")), 400)
    assert message.startswith("Invalid input JSON on line 1, column ")
    assert "Enum type must be one of: [IN, NOT_HAS_PROPERTY, LT, EQ, GT" in message


def test_the_limits_of_a_search_can_be_used_to_the_full(plain: Account) -> None:
    answer = plain.post("search", {"filterGroups": [{"filters": [lacks("email")] * 6}] * 3, "limit": 200})
    assert answer.status_code == 200
    assert plain.search(limit=200, after="9800").json()["results"] == []


def test_operators(plain: Account) -> None:
    (contact, email), *_ = plain.with_email()
    ids = plain.found(sorts=["hs_object_id"])
    assert plain.found(where("email", "EQ", email.upper())) == [contact]
    assert plain.found(where("email", "IN", values=[email, "nobody@mail.example"])) == [contact]
    assert plain.found(where("email", "IN", values=[email.upper()])) == []
    assert contact not in plain.found(where("email", "NEQ", email))
    assert set(plain.found(where("email", "NEQ", email), lacks("email"))) == set(plain.lacking("email"))
    assert plain.found(where("email", "CONTAINS_TOKEN", email)) == [contact]
    assert contact in plain.found(where("email", "CONTAINS_TOKEN", f"{email[:4]}*"))
    assert plain.found(where("hs_object_id", "BETWEEN", ids[3], highValue=ids[5])) == ids[3:6]
    assert plain.found(where("hs_object_id", "LTE", ids[1])) == ids[:2]
    assert set(plain.found(has("email"))) | set(plain.lacking("email")) >= set(ids)
    assert plain.found(sorts=[{"propertyName": "hs_object_id", "direction": "DESCENDING"}], limit=3) == [
        str(one) for one in sorted(plain.sandbox.hubspot.portal.contacts.items, reverse=True)[:3]
    ]


def test_times_are_compared_as_milliseconds(plain: Account) -> None:
    newest = plain.search(sorts=["-lastmodifieddate"], limit=1).json()["results"][0]
    stamp = plain.sandbox.hubspot.portal.contacts.items[int(newest["id"])].updated
    assert newest["id"] in plain.found(where("lastmodifieddate", "GTE", str(stamp)))
    assert newest["id"] not in plain.found(where("lastmodifieddate", "GT", str(stamp)))
    assert plain.found(where("lastmodifieddate", "GTE", str(stamp + 1))) == []


def test_many_share_one_stamp(plain: Account) -> None:
    stamps = [one.updated for one in plain.sandbox.hubspot.portal.contacts.items.values()]
    assert max(map(stamps.count, set(stamps))) > 50


def test_the_index_learns_late_while_results_are_fresh() -> None:
    with account(index_lag=(60.0, 60.0)) as one:
        contact = one.lacking("email", "phone")[0]
        one.sandbox.hubspot.human_edit(contact, "email", "ida@acme.example")
        stale = one.search(lacks("email"), where("hs_object_id", "EQ", contact), properties=["email"]).json()
        assert stale["results"][0]["properties"]["email"] == "ida@acme.example"
        assert one.found(where("email", "EQ", "ida@acme.example")) == []
        one.sandbox.clock.skip(61)
        assert one.found(where("email", "EQ", "ida@acme.example")) == [contact]
        assert contact not in one.found(lacks("email"))


def test_archived_records_count_for_a_while_but_are_not_shown() -> None:
    with account(index_lag=(60.0, 60.0)) as one:
        contact = one.lacking("email")[0]
        one.sandbox.hubspot.portal.archive(contact)
        assert one.search(where("hs_object_id", "EQ", contact)).json() == {"total": 1, "results": []}
        one.sandbox.clock.skip(61)
        assert one.search(where("hs_object_id", "EQ", contact)).json() == {"total": 0, "results": []}


def test_new_records_are_missing_for_a_while() -> None:
    with account(index_lag=(60.0, 60.0)) as one:
        contact = str(one.sandbox.hubspot.portal.add({"email": "new@acme.example"}))
        assert one.found(where("hs_object_id", "EQ", contact)) == []
        assert one.value(contact, "email") == "new@acme.example"
        one.sandbox.clock.skip(61)
        assert one.found(where("hs_object_id", "EQ", contact)) == [contact]


# ---- lists and batches


def test_a_list_is_walked_by_ids(shared: Account) -> None:
    path, ids = f"{shared.objects}/contacts", []
    params = {"limit": "100", "properties": "email,hs_linkedin_url", "associations": "companies"}
    while True:
        page = shared.http.get(path, params=params).json()
        ids += [one["id"] for one in page["results"]]
        if "paging" not in page:
            break
        params["after"] = page["paging"]["next"]["after"]
        assert int(params["after"]) > int(ids[-1])
    assert ids == [str(one) for one in sorted(shared.sandbox.hubspot.portal.contacts.items)]


def test_a_list_takes_100_or_50_with_history(plain: Account) -> None:
    path = f"{plain.objects}/contacts"
    refusal(plain.http.get(path, params={"limit": "101"}), 400)
    refusal(plain.http.get(path, params={"limit": "51", "propertiesWithHistory": "email"}), 400)
    assert plain.http.get(path, params={"limit": "50", "propertiesWithHistory": "email"}).status_code == 200
    assert plain.http.get(path, params={"properties": "x" * 17_000}).status_code == 414


def test_a_batch_is_read_in_another_order(shared: Account) -> None:
    ids = [str(one) for one in sorted(shared.sandbox.hubspot.portal.contacts.items)[:100]]
    body = shared.read(*ids, properties=["email"]).json()
    got = [one["id"] for one in body["results"]]
    assert body["status"] == "COMPLETE"
    assert sorted(got) == sorted(ids)
    assert got != ids


def test_missing_and_archived_ids_make_a_207() -> None:
    with account() as one:
        here, gone = one.lacking("email")[:2]
        one.sandbox.hubspot.portal.archive(gone)
        answer = one.read(here, gone, "77")
        body = answer.json()
        assert (answer.status_code, body["status"], body["numErrors"]) == (207, "COMPLETE", 1)
        assert [record["id"] for record in body["results"]] == [here]
        (error,) = body["errors"]
        assert error["category"] == "OBJECT_NOT_FOUND"
        assert error["context"] == {"ids": [gone, "77"]}
        inputs = {"inputs": [{"id": gone}]}
        archived = one.http.post(f"{one.objects}/contacts/batch/read?archived=true", json=inputs).json()
        assert [record["archived"] for record in archived["results"]] == [True]


def test_batches_have_their_sizes(plain: Account) -> None:
    ids = [str(number) for number in range(1, 102)]
    assert "supported in a batch is 100." in refusal(plain.read(*ids), 400)
    message = refusal(plain.read(*ids[:51], propertiesWithHistory=["email"]), 400)
    assert message == (
        "The maximum number of inputs supported in a batch request for property histories is 50. "
        "Please reduce the number of items and try again"
    )
    assert plain.read(*ids[:50], propertiesWithHistory=["email"]).status_code == 207


def test_one_record_and_its_404s(shared: Account) -> None:
    contact = shared.lacking("email")[0]
    path = f"{shared.objects}/contacts"
    one = shared.http.get(f"{path}/{contact}", params={"properties": "email"})
    assert (one.status_code, one.json()["properties"]["email"]) == (200, None)
    missing = shared.http.get(f"{path}/7")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html;charset=iso-8859-1")
    assert "<html>" in missing.text
    named = refusal(shared.http.get(f"{path}/ana"), 404, "OBJECT_NOT_FOUND")
    assert named == "Object not found.  objectId are usually numeric."


def test_an_unknown_type_has_no_category(plain: Account) -> None:
    answer = plain.http.post(f"{plain.objects}/butterflies/search", json={})
    assert refusal(answer, 400, None) == "Unable to infer object type from: butterflies"


def test_bad_json_is_told_with_its_place(plain: Account) -> None:
    answer = plain.http.post(f"{plain.objects}/contacts/search", content=b'{"limit": ')
    assert refusal(answer, 400).startswith("Invalid input JSON on line 1, column ")


# ---- companies and associations


def test_companies_of_contacts(shared: Account) -> None:
    employed = next(one for one in shared.sandbox.world.records if one.employer and one.number % 10)
    alone = next(one for one in shared.sandbox.world.records if not one.employer)
    inputs = [{"id": shared.contact(employed)}, {"id": shared.contact(alone)}]
    answer = shared.http.post(f"{shared.associations}/contacts/companies/batch/read", json={"inputs": inputs})
    body = answer.json()
    assert (answer.status_code, body["numErrors"]) == (207, 1)
    (link,) = body["results"][0]["to"]
    assert isinstance(link["toObjectId"], int)
    assert [kind["typeId"] for kind in link["associationTypes"]] == [1, 279]
    assert body["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert body["errors"][0]["context"]["fromObjectId"] == [shared.contact(alone)]
    company = {"inputs": [{"id": str(link["toObjectId"])}], "properties": ["name", "domain"]}
    read = shared.http.post(f"{shared.objects}/companies/batch/read", json=company).json()
    assert employed.employer is not None
    assert read["results"][0]["properties"]["domain"] == employed.employer.domain
    found = shared.http.post(
        f"{shared.objects}/companies/search",
        json={"filters": [where("domain", "EQ", employed.employer.domain)]},
    ).json()
    assert found["total"] == 1


def test_some_contacts_have_two_companies_one_of_them_primary(plain: Account) -> None:
    inputs = [{"id": str(one)} for one in plain.sandbox.hubspot.portal.contacts.items]
    answer = plain.http.post(f"{plain.associations}/contacts/companies/batch/read", json={"inputs": inputs}).json()
    several = [one["to"] for one in answer["results"] if len(one["to"]) > 1]
    assert several
    for links in several:
        assert sum(kind["typeId"] == 1 for link in links for kind in link["associationTypes"]) == 1


def test_associations_take_a_thousand(plain: Account) -> None:
    inputs = [{"id": str(one)} for one in range(1001)]
    answer = plain.http.post(f"{plain.associations}/contacts/companies/batch/read", json={"inputs": inputs})
    assert "is 1000." in refusal(answer, 400)


# ---- properties


def test_the_catalogue_says_what_may_be_written(shared: Account) -> None:
    answer = shared.http.get(f"{shared.properties}/contacts").json()
    listed = {one["name"]: one for one in answer["results"]}
    assert listed["email"]["hasUniqueValue"]
    assert not listed["phone"]["modificationMetadata"]["readOnlyValue"]
    assert listed["hs_additional_emails"]["modificationMetadata"]["readOnlyValue"]
    assert shared.http.get(f"{shared.properties}/contacts/email").json()["type"] == "string"
    assert shared.http.get(f"{shared.properties}/contacts/nope").status_code == 404


def test_a_portal_may_lack_a_property() -> None:
    with account(without_properties=("hs_linkedin_url",)) as one:
        names = {entry["name"] for entry in one.http.get(f"{one.properties}/contacts").json()["results"]}
        assert "hs_linkedin_url" not in names
        contact = one.lacking("email")[0]
        assert (
            "hs_linkedin_url"
            not in one.read(contact, properties=["hs_linkedin_url"]).json()["results"][0]["properties"]
        )
        refusal(one.update({contact: {"hs_linkedin_url": "x"}}, traced=False), 400)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_own_groups_and_properties_are_made_once(family: str) -> None:
    status = {
        "groupName": "found", "name": "found_status", "label": "Status", "type": "enumeration", "fieldType": "select",
        "options": [{"label": "Found", "value": "found"}, {"label": "Not found", "value": "not_found"}],
    }  # fmt: skip
    at = {"groupName": "found", "name": "found_at", "label": "At", "type": "datetime", "fieldType": "date"}
    with account(family=family) as one:
        path = f"{one.properties}/contacts"
        group = {"name": "found", "label": "Enrichment", "displayOrder": -1}
        refusal(one.http.post(f"{path}/batch/create", json={"inputs": [status]}), 400)
        assert one.http.post(f"{path}/groups", json=group).status_code == 201
        refusal(one.http.post(f"{path}/groups", json=group), 409, "OBJECT_ALREADY_EXISTS")
        assert one.http.post(f"{path}/batch/create", json={"inputs": [status]}).status_code == 201
        again = one.http.post(f"{path}/batch/create", json={"inputs": [status, at]})
        assert again.status_code == 207
        assert again.json()["errors"][0]["subCategory"] == "Properties.PROPERTY_WITH_NAME_EXISTS"
        assert [entry["name"] for entry in again.json()["results"]] == ["found_at"]
        contact = one.lacking("email")[0]
        bad = one.update({contact: {"found_status": "perhaps"}}, traced=False)
        assert "INVALID_OPTION" in refusal(bad, 400)
        good = one.update({contact: {"found_status": "found", "found_at": "1795400000000"}})
        assert good.status_code == 200
        assert contact in one.found(where("found_status", "EQ", "found"))
