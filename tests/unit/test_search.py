"""Contacts are found by what a person remembers of them and by what became of them; each page once, and quickly."""

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from syncd.cli import app, failing
from syncd.contract.errors import InDoubt
from syncd.contract.model import ContactRef, Identity
from syncd.filters import parse
from syncd.ledger import search
from syncd.ledger.search import Found, Wanted
from syncd.ledger.store import Ledger, Tx, reading
from syncd.web import private
from tests.contract.fake_provider import FakeProvider
from tests.places import place_of

from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness

PEOPLE = [
    Identity(
        first_name="Ada", last_name="Stone", company="Acme", domain="acme.example", email="ada.stone@acme.example"
    ),
    Identity(first_name="Zoë", last_name="Brück", company="Bücher & Söhne", domain="soehne.example"),
    Identity(full_name="Łukasz Żak", company="=HYPERLINK(1)", domain="zak.example"),
    Identity(first_name="Ada", last_name="Lima", company="Lima", domain="lima.example", emails=("ada@mail.example",)),
]
CONFIG = """\
ledger: {{ path: {path} }}
callbacks: {{ public_url: "https://enrich.example.com", secrets: [{{ credential: callback-secret }}] }}
connections:
  crm: {{ connector: hubspot, access_token: {{ credential: hubspot-token }} }}
  ann: {{ connector: zeliq, api_key: {{ credential: zeliq-key }} }}
syncs: [{{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}]
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """Contacts 501 to 504; 501 has a phone by now, 502 has none, the others wait for theirs."""
    folder = tmp_path_factory.mktemp("search")
    with Harness(folder, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)], fields={PHONE: ["ann"]}) as made:
        made.recover()
        for person in PEOPLE[:2]:
            made.crm.add(person)
        made.finds("501", PHONE, "+442079460123")
        made.ask()
        made.answer_all()
        made.finish()
        for person in PEOPLE[2:]:
            made.crm.add(person)
        made.clock.time += 1000
        made.pull()
        made.plan()
        (folder / "config.yaml").write_text(CONFIG.format(path=json.dumps(str(made.path))), "utf-8")
        yield made


def ids(harness: Harness, query: str) -> list[str]:
    with reading(place_of(harness.path)) as tx:
        return [ContactRef.parse(one.ref).id for one in search.find(tx, parse(query, now=harness.clock.now())).rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["504", "503", "502", "501"]),
        ("ada", ["504", "501"]),
        ("Ada Stone", ["501"]),
        ("stone ada", ["501"]),
        ("ada.stone@acme.example", ["501"]),
        ("ada.sto", ["501"]),
        ("ad", ["504", "501"]),
        ("st*", ["501"]),
        ("ada*", ["504", "501"]),
        ("ada@mail.example", ["504"]),
        ("acme", ["501"]),
        ("acme.example", ["501"]),
        ("zoe bruck", ["502"]),
        ("BRÜCK", ["502"]),
        ("bru\u0308ck", ["502"]),
        ("'Bücher & Söhne'", ["502"]),
        ("Żak", ["503"]),
        ("503", ["503"]),
        ("50", []),
        ("crm/contacts/502", ["502"]),
        ("crm/contacts/50", ["504", "503", "502", "501"]),
        ("crm/leads/501", []),
        ("nobody", []),
        ('"', None),
        ("*", []),
        ("ada AND stone", []),
        ("state:queued", ["504", "503"]),
        ("state:done", ["502", "501"]),
        ("state:review", []),
        ("reason:written", ["501"]),
        ("reason:not_found", ["502"]),
        ("reason:not_found state:queued", []),
        ("sync:people field:phone", ["504", "503", "502", "501"]),
        ("field:email", []),
        ("provider:ann state:queued", ["504", "503"]),
        ("provider:bob", []),
        ("provider:bob state:queued", []),
        ("since:5m", ["504", "503"]),
        ("since:2h", ["504", "503", "502", "501"]),
        ("since:5m reason:written", []),
        ("ada state:queued", ["504"]),
        ("ada reason:written", ["501"]),
        ("501 reason:not_found", []),
    ],
)
def test_s6_what_is_found(harness: Harness, query: str, found: list[str] | None) -> None:
    if found is None:
        with pytest.raises(ValueError, match="quotation mark"):
            ids(harness, query)
    else:
        assert ids(harness, query) == found


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("reason:low_qualty", "there is no reason 'low_qualty'; did you mean 'low_quality'?"),
        ("state:waitin", "did you mean 'waiting'?"),
        ("field:mail", "did you mean 'email'?"),
        ("resaon:written", "nothing is filtered by 'resaon'; did you mean 'reason'?"),
        ("reason:", "reason: needs a value"),
        ("sync:a sync:b", "sync: stands twice"),
        ("since:yesterday", "'yesterday' is no time; write 2026-11-27T08:30 (UTC), or 2h"),
        ("https://acme.example", "nothing is filtered by 'https'"),
    ],
)
def test_what_was_typed_wrong_is_told_with_what_there_is(query: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse(query, now=0.0)


def test_a_change_of_the_contact_is_found_and_what_it_was_before_is_not(tmp_path: Path) -> None:
    with Harness(tmp_path, fields={PHONE: ["ann"]}) as harness:
        harness.recover()
        harness.crm.add(PEOPLE[0])
        harness.pull()
        harness.crm.rename("501", Identity(first_name="Berta", last_name="Cole"))
        harness.pull()
        with reading(place_of(harness.path)) as tx:
            assert search.find(tx, Wanted(text="stone")).rows == ()
            assert [one.name for one in search.find(tx, Wanted(text="berta")).rows] == ["Berta Cole"]


@pytest.mark.parametrize("query", ["", "ada", "state:queued", "crm/contacts/50", "since:2h"])
def test_each_row_stands_on_one_page(harness: Harness, query: str) -> None:
    wanted = parse(query, now=harness.clock.now())
    with reading(place_of(harness.path)) as tx:
        whole = search.find(tx, wanted)
        assert whole.next is None
        rows: list[Found] = []
        after = None
        while True:
            page = search.find(tx, wanted, limit=1, after=after)
            rows += page.rows
            if (after := page.next) is None:
                break
        assert tuple(rows) == whole.rows
        with pytest.raises(ValueError, match="is no place in a list"):
            search.find(tx, wanted, after="7; DROP TABLE job")


def test_the_counters_know_how_many_there_are(harness: Harness) -> None:
    with reading(place_of(harness.path)) as tx:
        counts = {
            q: search.find(tx, parse(q, now=0.0), limit=1).count for q in ("", "state:done", "reason:written", "ada")
        }
    assert counts == {"": 4, "state:done": 2, "reason:written": 1, "ada": None}


# --- the command --------------------------------------------------------------------------------


def run(harness: Harness, *words: str, code: int = 0) -> None:
    command = [*words, "-c", str(harness.path.parent / "config.yaml")]
    assert failing.outcome(lambda: app(command, prog_name="syncd"), debug=False) == code


def test_s6_as_a_table_as_csv_and_as_json(harness: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    run(harness, "contacts", "reason:written")
    shown = capsys.readouterr().out
    assert re.search(r"crm/contacts/501 +Ada Stone +Acme +phone +✓ written +ann +\+442079460123", shown)
    assert "1 of 1 rows" in shown
    run(harness, "contacts", "ada", "--json")
    told = json.loads(capsys.readouterr().out)
    assert [one["ref"] for one in told["contacts"]] == ["crm/contacts/504", "crm/contacts/501"]
    run(harness, "contacts", "--all", "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["ref"][-3:] for row in rows] == ["504", "503", "502", "501"]
    assert (rows[1]["company"], rows[3]["value"]) == ("'=HYPERLINK(1)", "+442079460123"), "no formula, and a phone"


def test_nothing_found_says_where_it_was_looked_for(harness: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    run(harness, "contacts", "nobody")
    told = capsys.readouterr()
    assert told.out == "No contact is like this.\n"
    assert "ids are looked for in crm/contacts" in told.err
    run(harness, "contacts", "reason:wrtten", code=2)
    assert "did you mean 'written'?" in capsys.readouterr().err


@pytest.mark.parametrize("ref", ["501", "crm/contacts/501", "ada.stone@acme.example", "stone"])
def test_s7_a_contact_may_be_named_by_its_id_or_its_words(
    harness: Harness, ref: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(harness, "show", ref)
    assert capsys.readouterr().out.startswith("crm/contacts/501 ")


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("crm/contacts/50", "can be each of these: crm/contacts/504, crm/contacts/503, crm/contacts/502, crm/"),
        ("crm/contcts/501", "did you mean crm/contacts/501?"),
        ("crm/contcts/777", "did you mean 'crm/contacts'?"),
        ("nobody", "NAME` looks for it by name"),
    ],
)
def test_s7_what_it_can_mean_is_suggested(
    harness: Harness, ref: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(harness, "show", ref, code=1)
    assert told in capsys.readouterr().err


def test_s6_the_api_says_the_same(harness: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask(**query: str) -> httpx.Response:
        transport = httpx.ASGITransport(private.application(harness.parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/api/contacts", params=query)

    run(harness, "contacts", "ada", "--json")
    assert harness.run(ask(q="ada")).json() == json.loads(capsys.readouterr().out)
    first = harness.run(ask(limit="3")).json()
    assert (len(first["contacts"]), first["count"]) == (3, 4)
    rest = harness.run(ask(limit="3", after=first["next"])).json()
    assert ([one["ref"] for one in rest["contacts"]], rest["next"]) == (["crm/contacts/501"], None)
    for wrong in ({"q": "raeson:written"}, {"limit": "0"}, {"limit": "1e3"}, {"after": "x"}, {"limit": "1001"}):
        answer = harness.run(ask(**wrong))
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


# --- the same words in other commands -------------------------------------------------------------


def test_s7_what_is_in_doubt_is_listed_with_its_contacts_and_decided_by_prefix_and_by_filter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    with Harness(tmp_path, providers=fakes, fields={EMAIL: ["ann"], PHONE: ["bob"]}) as harness:
        harness.recover()
        harness.crm.add(PEOPLE[0], email="ada.stone@acme.example")
        harness.crm.add(PEOPLE[1], phone="+442079460123")
        for fake in fakes:  # a single one: nobody is asked more while it is not known what became of it
            fake.refusals.append(InDoubt("the answer was lost"))
        harness.ask()
        (tmp_path / "config.yaml").write_text(CONFIG.format(path=json.dumps(str(harness.path))), "utf-8")
        capsys.readouterr()
        run(harness, "in-doubt", "list", "--json")
        calls = {one["contacts"][0][-3:]: one["id"] for one in json.loads(capsys.readouterr().out)}
        assert calls.keys() == {"501", "502"}
        run(harness, "in-doubt", "list")
        assert re.search(rf"{calls['501']} +bob .* crm/contacts/501 ", capsys.readouterr().out), "ids that count"
        run(harness, "in-doubt", "list", "--filter", "soehne", "--json")
        assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [calls["502"]]
        run(harness, "in-doubt", "resolve", calls["501"][:-1], "--not-sent", code=1)
        assert "is the beginning of 2 calls; write more of it" in capsys.readouterr().err
        run(harness, "in-doubt", "resolve", calls["501"][:-1] + "x", "--not-sent", code=1)
        run(harness, "in-doubt", "resolve", "--filter", "ada", "--not-sent", "--yes")
        assert (harness.state("501", PHONE), harness.state("502")) == ("queued", "in_doubt")
        run(harness, "in-doubt", "resolve", calls["502"], "--not-sent")
        assert harness.state("502") == "queued"


def test_retry_takes_the_same_words(harness: Harness, capsys: pytest.CaptureFixture[str]) -> None:
    for words, jobs in ({("reason:not_found",): 1, ("bruck",): 1, ("ada", "--reason", "waiting"): 1}).items():
        run(harness, "retry", *words, "--json")
        assert json.loads(capsys.readouterr().out)["jobs"] == jobs


# --- a large ledger -----------------------------------------------------------------------------

MANY = 100_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Contacts with two fields each, most of them written, a few not."""
    path = tmp_path_factory.mktemp("large") / "ledger.db"
    Ledger.open(place_of(path)).close()
    Ledger.change(place_of(path), _fill)
    return path


def _fill(tx: Tx) -> None:
    for statement in FILL.split(";"):
        tx._connection.execute(statement)


FILL = f"""
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
INSERT INTO contact (id, connection, object, ext_id, sync, revision, identity, lacks, blocked, pulled_at)
SELECT i, 'crm', 'contacts', CAST(10000000 + i AS TEXT), 'people', 0,
    json_object('fn', 'Ada', 'ln', 'Stone' || i, 'co', 'Acme' || (i % 1000)),
    '[]', '{{}}', 1.0 FROM n;
INSERT INTO contact_words (rowid, words) SELECT id, 'ada stone' || id || ' acme' || (id % 1000) FROM contact;
INSERT INTO sync VALUES ('people', 'crm', 'contacts', '');
INSERT INTO job (contact_id, sync, field, state, reason, provider, updated_at, thinned)
SELECT id, 'people', field, iif(id % 2500 = 1, 'queued', 'done'),
    CASE id % 2500 WHEN 1 THEN '' WHEN 2 THEN 'low_quality' ELSE 'written' END, 'ann', id, 0
FROM contact, (SELECT 'email' AS field UNION SELECT 'phone');
INSERT INTO counter SELECT sync, field, state, reason, count(*) FROM job GROUP BY 1, 2, 3, 4
"""


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", 100),
        ("reason:low_quality", 80),
        ("reason:written", 100),
        ("state:queued", 80),
        ("state:done", 100),
        ("ada", 100),
        ("stone777", 2),
        ("stone77*", 100),
        ("ada stone77777", 2),
        ("acme77 state:queued", 0),
        ("10000777", 2),
        ("crm/contacts/10000777", 2),
        ("since:20s", 40),
    ],
)
def test_a_search_is_quick_in_a_large_ledger(large: Path, query: str, rows: int) -> None:
    """The time is that of this process alone, and far above what it takes: 100 times as much is a scan."""
    wanted = parse(query, now=float(MANY + 0.5))
    with reading(large) as tx:
        search.find(tx, wanted)
        before = time.thread_time()
        found = search.find(tx, wanted)
        took = time.thread_time() - before
    assert len(found.rows) == rows
    assert took < 0.1, f"{took * 1000:.1f} ms"
