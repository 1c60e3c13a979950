"""The sandbox as a whole: ports, the control API, starting and stopping."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest

from syncd.sandbox.people import Quirk
from syncd.sandbox.server import Sandbox, SandboxThread


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with SandboxThread(3, 60, quirks={Quirk.EDIT_BETWEEN: 0.2}, hubspot={"index_lag": (0.0, 0.0)}) as one:
        yield one


@pytest.fixture
def control(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.urls["control"], timeout=10) as client:
        yield client


def hubspot(sandbox: Sandbox) -> httpx.Client:
    headers = {"Authorization": f"Bearer {sandbox.hubspot.token}"}
    return httpx.Client(base_url=f"{sandbox.urls['hubspot']}/crm/v3/objects", headers=headers, timeout=10)


def write(sandbox: Sandbox, contact: str, **values: str) -> None:
    with hubspot(sandbox) as client:
        answer = client.post("/contacts/batch/update", json={"inputs": [{"id": contact, "properties": values}]})
        assert answer.status_code == 200, answer.text


def test_every_vendor_has_a_port_of_its_own(sandbox: Sandbox) -> None:
    assert set(sandbox.urls) == {"hubspot", "salesforce", "zeliq", "fullenrich", "control"}
    assert len(set(sandbox.urls.values())) == 5
    assert all(url.startswith("http://127.0.0.1:") for url in sandbox.urls.values())


def test_ports_can_be_fixed_and_are_free_again_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for _ in range(2):
        with SandboxThread(1, 5, ports={"hubspot": port}) as sandbox:
            assert sandbox.urls["hubspot"] == f"http://127.0.0.1:{port}"
            with hubspot(sandbox) as client:
                assert client.get("/contacts").status_code == 200


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def scenario() -> None:
            async with Sandbox(1, 5, ports={"control": port}):
                pytest.fail("it started on a port that is taken")

        with pytest.raises(OSError, match="in use"):
            asyncio.run(scenario())
        with pytest.raises(OSError, match="in use"), SandboxThread(1, 5, ports={"control": port}):
            pytest.fail("it started on a port that is taken")


def test_it_runs_in_its_callers_loop() -> None:
    async def scenario() -> int:
        async with Sandbox(1, 5) as sandbox, httpx.AsyncClient() as client:
            return (await client.get(f"{sandbox.urls['control']}/info")).status_code

    assert asyncio.run(scenario()) == 200


def test_it_stops_although_somebody_waits_for_an_answer() -> None:
    async def scenario() -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            async with Sandbox(1, 5, faults=["hubspot_silent"]) as sandbox:
                waiting = asyncio.create_task(client.get(f"{sandbox.urls['hubspot']}/crm/v3/objects/contacts"))
                while not sandbox.faults.taken:
                    await asyncio.sleep(0)
            with pytest.raises(httpx.TransportError):
                await waiting

    asyncio.run(scenario())


def test_info_says_where_and_with_what(control: httpx.Client, sandbox: Sandbox) -> None:
    info = control.get("/info").json()
    assert info["urls"] == sandbox.urls
    assert info["keys"]["hubspot"] == sandbox.hubspot.token
    assert set(info["keys"]) == {"hubspot", "salesforce", "zeliq", "fullenrich"}
    assert set(info["keys"]["salesforce"]) == {"client_id", "client_secret", "domain"}
    assert info["contacts"] == 60
    assert "hubspot_cut" in info["faults"]


def test_state_calls_and_bill(control: httpx.Client, sandbox: Sandbox) -> None:
    contact = str(sandbox.hubspot.portal.ids[0])
    write(sandbox, contact, phone="+442079460001")
    assert len(control.get("/state").json()["contacts"]) == 60
    (row,) = control.get("/state", params={"id": contact}).json()["contacts"]
    assert (row["phone"], row["record"], row["gone"]) == ("+442079460001", 0, False)
    assert control.get("/calls").json() == {
        "hubspot": {"batch/update": 1},
        "salesforce": {},
        "zeliq": {},
        "fullenrich": {},
    }
    bill = control.get("/bill").json()
    assert set(bill) == {"zeliq", "fullenrich"}
    assert bill["zeliq"]["billed"] == "0"
    assert control.get("/callbacks").json() == {name: {"tries": [], "given_up": 0} for name in bill}


def test_the_judge_over_http(control: httpx.Client, sandbox: Sandbox) -> None:
    params = {"email": "zeliq,fullenrich", "phone": "fullenrich,zeliq", "accept": "valid"}
    before = control.get("/judge", params=params).json()
    assert before["ok"] is False
    assert before["missed"] == before["findable"] > 0
    special = [one for one in sandbox.world.records if one.quirk is Quirk.EDIT_BETWEEN]
    one = next(one for one in special if one.quirk_field == "phone")
    write(sandbox, str(sandbox.hubspot.portal.ids[one.number]), phone=one.person.phones[0])
    after = control.get("/judge", params=params).json()
    assert (after["overwritten"], after["missed"]) == (1, before["missed"] - 1)
    assert after["examples"]["overwritten"][0]["expected"] == [one.quirk_value]
    assert control.get("/judge", params={"email": "acme"}).status_code == 400
    assert control.get("/judge", params={"email": "zeliq", "accept": "good"}).status_code == 400
    nothing = control.get("/judge").json()
    assert (nothing["findable"], nothing["missed"]) == (0, 0)


def test_faults_over_http(control: httpx.Client, sandbox: Sandbox) -> None:
    answer = control.post("/faults", json={"add": ["hubspot_error:1:500", "hubspot_burst:*"]}).json()
    assert answer["active"] == {"hubspot_error": ["1:500"], "hubspot_burst": ["*"]}
    with hubspot(sandbox) as client:
        assert [client.get("/contacts").status_code for _ in range(2)] == [500, 429]
        assert control.post("/faults", json={"clear": ["hubspot_burst"]}).json()["active"] == {}
        assert client.get("/contacts").status_code == 200
    assert control.get("/faults").json()["struck"] == {"hubspot_error": 1, "hubspot_burst": 1}
    refused = control.post("/faults", json={"add": ["hubspot_eror"]})
    assert refused.status_code == 400
    assert "hubspot_error" in refused.json()["error"]
    control.post("/faults", json={"add": ["hubspot_burst:*"]})
    assert control.post("/faults", json={"clear": True}).json()["active"] == {}


def test_time_can_be_skipped(control: httpx.Client, sandbox: Sandbox) -> None:
    before = sandbox.clock.now()
    assert control.post("/clock/skip", json={"seconds": 3600}).json()["now"] >= before + 3600
    assert control.post("/clock/skip", json={"seconds": -1}).status_code == 400


def test_a_colleague_edits_over_http(control: httpx.Client, sandbox: Sandbox) -> None:
    contact = str(sandbox.hubspot.portal.ids[0])
    edit = {"id": contact, "property": "phone", "value": "+442079460001"}
    assert control.post("/edit", json=edit).json() == edit
    control.post("/edit", json={**edit, "value": "+442079460002", "when": "before_write"})
    write(sandbox, contact, phone="+442079460003")
    item = sandbox.hubspot.portal.contacts.items[int(contact)]
    assert [version.value for version in item.history["phone"]][-3:] == [
        "+442079460001",
        "+442079460002",
        "+442079460003",
    ]
    assert control.post("/edit", json={**edit, "id": "7"}).status_code == 400


def test_a_thread_runs_what_it_is_given() -> None:
    thread = SandboxThread(1, 5)
    with thread as sandbox:
        assert thread.call(lambda: len(sandbox.world.records)) == 5
        with pytest.raises(ZeroDivisionError):
            thread.call(lambda: 1 // 0)
