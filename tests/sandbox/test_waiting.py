"""What waits for review, as the judge is told of it, and the control API that takes it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from syncd.sandbox.people import EMAIL, PHONE, Case
from syncd.sandbox.server import SandboxThread
from syncd.sandbox.waiting import Waiting, read_body, read_query

from .final import best

ASKED = {"email": "zeliq,fullenrich", "phone": "fullenrich,zeliq", "accept": "valid"}
REF = "hubspot/contacts/901"


@pytest.mark.parametrize(
    ("told", "waiting"),
    [
        (f"{REF},email", Waiting("901", EMAIL)),
        (f"{REF},phone,+33639980001", Waiting("901", PHONE, "+33639980001")),
        ("eu-portal/leads/00QWt000000FwYgMAK,phone", Waiting("00QWt000000FwYgMAK", PHONE)),
        (f"{REF},email,a***@acme.example", Waiting("901", EMAIL)),  # masked
        (f"{REF},email,a…@acme.example", Waiting("901", EMAIL)),
        (f"{REF},email,", Waiting("901", EMAIL)),
    ],
)
def test_texts(told: str, waiting: Waiting) -> None:
    assert read_query([told]) == read_body(json.dumps({"review": [told]}).encode()) == [waiting]


def test_objects_may_say_more_than_is_read() -> None:
    one = {
        "ref": REF,
        "field": "email",
        "verdict": "doubtful",
        "why": ["x"],
        "provider": "zeliq",
        "value": "a@b.example",
    }
    assert read_body(json.dumps({"review": [one]}).encode()) == [Waiting("901", EMAIL, "a@b.example")]
    del one["value"]
    assert read_body(json.dumps({"review": [one]}).encode()) == [Waiting("901", EMAIL)]


@pytest.mark.parametrize("raw", [b"", b" ", b"{}", b'{"review": []}'])
def test_nothing_waits(raw: bytes) -> None:
    assert read_body(raw) == []


@pytest.mark.parametrize(
    "review",
    [
        f"{REF}",
        f"{REF},name",
        "901,email",
        "hubspot/901,email",
        "a/b/c/d,email",
        "",
        None,
        7,
        {"ref": REF},
        {"field": "email"},
    ],
)
def test_what_cannot_be_read_is_refused(review: object) -> None:
    with pytest.raises(ValueError, match=r"connection/object/id|neither"):
        read_body(json.dumps({"review": [review]}).encode())


@pytest.mark.parametrize("body", ["[]", '{"review": {}}', '{"review": "x"}', "{", "nothing"])
def test_other_bodies_are_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_body(body.encode())


def test_the_control_api_takes_it_either_way() -> None:
    with (
        SandboxThread(3, 24, quirks={Case.NICKNAME: 1.0}) as sandbox,
        httpx.Client(base_url=sandbox.urls["control"], trust_env=False) as control,
    ):
        ids, records = sandbox.hubspot.portal.ids, sandbox.world.records

        def judged(**more: Any) -> dict[str, Any]:
            params = {**ASKED, **more.pop("params", {})}
            answer = control.request("POST" if more else "GET", "/judge", params=params, **more)
            body: dict[str, Any] = answer.raise_for_status().json()
            return body

        def ref(number: int) -> str:
            return f"hubspot/contacts/{ids[number]}"

        assert (judged()["missed"], judged()["review"]) == (48, {"right": 0, "strangers": 0})
        right, other = (best(records[number].person, EMAIL) for number in (0, 1))
        by_query = judged(params={"review": [f"{ref(0)},email,{right}", f"{ref(2)},email,{other}"]})
        rows = [{"ref": ref(0), "field": "email", "value": right}, {"ref": ref(2), "field": "email", "value": other}]
        by_body = judged(json={"review": rows})
        for body in (by_query, by_body):
            assert (body["missed"], body["review"]) == (47, {"right": 1, "strangers": 1})
            assert body["crms"]["hubspot"]["review"] == body["review"]
            assert body["crms"]["salesforce"]["review"] == {"right": 0, "strangers": 0}
        assert judged(json={"review": [f"{ref(9999 % 24)},email,{right}"]})["review"]["strangers"] == 1
        assert control.post("/judge", params=ASKED, content=b'{"review": 1}').status_code == 400
        assert control.get("/judge", params={**ASKED, "review": "x"}).status_code == 400


def test_the_control_api_judges_what_was_really_sold() -> None:
    with (
        SandboxThread(3, 24, speed=6000, quirks={Case.NICKNAME: 1.0}) as sandbox,
        httpx.Client(base_url=sandbox.urls["control"], trust_env=False, timeout=20) as control,
        httpx.Client(
            base_url=sandbox.urls["zeliq"], headers={"x-api-key": "sk-sandbox-zeliq"}, trust_env=False
        ) as zeliq,
    ):
        record = sandbox.world.records[0]
        asked = {"first_name": record.first_name, "last_name": record.last_name, "company": record.company}
        sandbox.faults.on("zeliq_result_in_body", None)
        for calls, discarded, twice in ((1, 1, 0), (2, 2, 1)):
            answer = zeliq.post("/api/contact/enrich/email", json={**asked, "callback_url": "http://127.0.0.1:9/x"})
            assert answer.json()["contact"]["first_name"] == record.person.first_name != record.first_name
            body = control.get("/judge", params=ASKED).json()
            assert (body["discarded"], body["bought_twice"], body["ok"]) == (discarded, twice, False), calls
        assert body["crms"]["hubspot"]["examples"]["discarded"][0]["asked"] == ["company", "first_name", "last_name"]
        later = control.get("/judge", params={**ASKED, "since": sandbox.clock.now()}).json()
        assert (later["discarded"], later["bought_twice"]) == (0, 0)
        value = answer.json()["contact"]["most_probable_email"]
        token = {"Authorization": f"Bearer {sandbox.hubspot.token}"}
        contact = sandbox.hubspot.portal.ids[0]
        written = {"inputs": [{"id": str(contact), "properties": {"email": value}}]}
        url = f"{sandbox.urls['hubspot']}/crm/v3/objects/contacts/batch/update"
        assert httpx.post(url, json=written, headers=token, trust_env=False).is_success
        body = control.get("/judge", params=ASKED).json()
        assert (body["discarded"], body["bought_twice"]) == (0, 1)
