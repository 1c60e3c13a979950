"""`syncd review` and the private API: what waits is shown with both identities, and decided one by one or by filter."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.contract.errors import SyncdError
from syncd.contract.model import Identity
from syncd.web import private
from tests.contract.fake_provider import FakeProvider

from .harness import EMAIL, ONE_BY_ONE, Harness

ADA = Identity(
    first_name="Ada", last_name="Stone", company="Acme", domain="acme.example", linkedin_url="linkedin.com/in/ada"
)
RENAMED = replace(ADA, linkedin_url="https://www.linkedin.com/in/ada-brook")
CONFIG = """\
ledger: {{ path: {path} }}
callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{secret}"] }}
connections:
  crm: {{ connector: hubspot, access_token: a-token }}
  ann: {{ connector: zeliq, api_key: a-key }}
syncs: [{{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}]
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """Two contacts whose answers name another profile: both wait."""
    with Harness(tmp_path, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann"]}) as made:
        for name in ("ada", "bea"):
            contact = made.crm.add(replace(ADA, first_name=name.title(), linkedin_url=f"linkedin.com/in/{name}"))
            made.finds(contact, EMAIL, f"{name}.stone@acme.example")
            made.fake.says[contact, EMAIL] = (replace(RENAMED, first_name=name.title()),)
        made.ask()
        made.answer_all()
        made.finish()
        text = CONFIG.format(path=json.dumps(str(made.path)), secret="x" * 40)
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
        yield made


def run(harness: Harness, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["review", *arguments, "-c", str(harness.path.parent / "config.yaml")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def waiting(harness: Harness) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(harness, "list", "--json"))
    return found


def held(harness: Harness) -> list[str]:
    return sorted(value for record in harness.crm.records.values() for value in record.values.values())


def test_what_waits_is_shown_masked_with_what_speaks_for_and_against(harness: Harness) -> None:
    first, second = waiting(harness)
    assert (first["ref"], first["value"], first["why"]) == ("crm/contacts/501", "a…@acme.example", "another profile")
    assert first["speaks_for"] == ["the names are equal", "the employer"]
    shown = json.loads(run(harness, "show", str(second["id"]), "--json", "--unmasked"))
    assert shown["value"] == "bea.stone@acme.example"
    assert shown["contact"]["linkedin_url"] != shown["answer"][0]["linkedin_url"] == RENAMED.linkedin_url
    side_by_side = run(harness, "show", str(second["id"]))
    assert "bea.stone@acme.example" not in side_by_side
    assert "ada-brook" in side_by_side
    assert held(harness) == []


def test_accepting_writes_it_and_refusing_never_does(harness: Harness) -> None:
    first, second = (str(one["id"]) for one in waiting(harness))
    run(harness, "accept", first)
    run(harness, "refuse", second)
    harness.verify()
    harness.clock.time += 60
    harness.writeback()
    assert held(harness) == ["ada.stone@acme.example"]
    assert [harness.job(one) for one in ("501", "502")] == [("done", "written"), ("done", "review_refused")]
    assert waiting(harness) == []


def test_by_filter_nothing_is_done_before_it_was_looked_at(harness: Harness) -> None:
    preview = json.loads(run(harness, "accept", "--why", "another profile", "--json"))
    assert (preview["done"], preview["counts"]) == (False, {"people/email/ann": 2})
    assert len(waiting(harness)) == 2
    assert json.loads(run(harness, "refuse", "--provider", "zoe", "--yes", "--json"))["ids"] == []
    assert "2 accepted" in run(harness, "accept", "--field", "email", "--yes")
    assert waiting(harness) == []


def test_an_id_that_waits_no_more_is_told_and_changes_nothing(harness: Harness) -> None:
    with pytest.raises(SyncdError, match="nothing called 999 waits"):
        run(harness, "accept", str(waiting(harness)[0]["id"]), "999")
    assert len(waiting(harness)) == 2


def test_nobody_decides_in_time_and_the_job_goes_on(harness: Harness) -> None:
    harness.clock.time += 15 * 86_400
    harness.sweep()
    harness.verify()
    assert harness.state("501") == "review", "nobody else to ask: it still waits"
    run(harness, "accept", str(waiting(harness)[0]["id"]))
    assert harness.state("501") == "answered"


def test_the_api_lists_and_decides(harness: Harness) -> None:
    async def talk() -> tuple[list[dict[str, object]], httpx.Response, list[int]]:
        transport = httpx.ASGITransport(private.application(harness.parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            listed = (await client.get("/api/reviews")).json()
            done = await client.post("/api/reviews/accept", json={"ids": [listed[0]["id"], 999]})
            refused = [
                (await client.post("/api/reviews/accept", json={"ids": "all"})).status_code,
                (await client.post("/api/reviews/burn", json={"ids": []})).status_code,
                (await client.post("/api/reviews/accept", content=b'{"ids": []}')).status_code,
            ]
            status = (await client.get("/api/status")).json()
            assert status["reviews"]["waiting"] == 1
            return listed, done, refused

    listed, done, refused = harness.run(talk())
    assert listed[0]["value"] == "ada.stone@acme.example"
    assert (done.json(), refused) == ({"decided": 1}, [400, 404, 404])
    assert harness.state("501") == "answered"
