"""`syncd report`: each question and value is counted once, by its day; what can't be compared is not ranked."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.contract.model import Grade
from syncd.ledger import configured, daily, forgetting, renames, reviews
from syncd.ledger.daily import Figures, Place
from syncd.report import figures
from syncd.report.charts import charts
from syncd.report.page import page
from syncd.report.statistics import percentile, wilson
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider

from .callers import at_the_desk
from .harness import EMAIL, ONE_BY_ONE, PHONE, SECRET, Harness
from .test_cli_review import CONFIG

TODAY = (0, 10**6)


@pytest.fixture
def two(tmp_path: Path) -> Any:
    """`ann` is asked first, `bob` about whom she missed."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    with Harness(tmp_path, providers=fakes, fields={EMAIL: ["ann", "bob"]}) as made:
        yield made


def lived(harness: Harness) -> Harness:
    """Ada is found at once, Bea by the second provider, Cleo with a value that is not verified, Dora by nobody."""
    ids = {name: harness.person(name) for name in ("Ada", "Bea", "Cleo", "Dora")}
    harness.finds(ids["Ada"], EMAIL, "ada@acme.example.com", by="ann")
    harness.finds(ids["Bea"], EMAIL, "bea@acme.example.com", by="bob")
    harness.finds(ids["Cleo"], EMAIL, "cleo@acme.example.com", by="bob", grade=Grade.UNKNOWN)
    harness.ask()
    harness.clock.time += 60
    harness.answer_all("ann")
    harness.finish()
    harness.dispatch("bob")
    harness.clock.time += 120
    harness.answer_all("bob")
    harness.finish()
    return harness


def read(harness: Harness) -> dict[Place, Figures]:
    return harness.run(harness.ledger.read(daily.read, *TODAY))


def by_provider(harness: Harness) -> dict[str, dict[str, Any]]:
    told = figures.report(read(harness), (0, 0), ["provider"])
    return {row["provider"]: row for row in told["rows"]}


def counted(harness: Harness) -> None:
    """What came is settled, and counted by the sweep."""
    for _ in range(2):
        harness.clock.time += daily.SETTLED
        harness.sweep()


def test_what_became_of_each_question(two: Harness) -> None:
    told = by_provider(lived(two))
    ann, bob = told["ann"], told["bob"]
    assert (ann["asked"], ann["found"], ann["misses"], ann["verified"], ann["written"]) == (4, 1, 3, 1, 1)
    assert (bob["asked"], bob["found"], bob["misses"], bob["verified"], bob["written"]) == (3, 2, 1, 1, 1)
    spent = two.credits()["charged"]
    assert ann["credits"] + bob["credits"] == float(spent) > 0
    assert ann["credits_per_verified"] == ann["credits"]
    assert ann["latency_p50"] == pytest.approx(60, rel=0.1)
    assert bob["latency_p95"] == pytest.approx(120, rel=0.1)


def test_what_is_counted_is_what_was_counted_by_looking(two: Harness) -> None:
    before = read(lived(two))
    assert two.sql("SELECT * FROM daily") == []
    counted(two)
    assert two.sql("SELECT * FROM daily") != []
    assert two.sql("SELECT count(*) FROM result WHERE id > (SELECT value FROM meta WHERE key = 'daily_answers')") == [
        (0,)
    ]
    assert read(two) == before
    counted(two)
    assert read(two) == before, "and nothing is counted twice"


def test_it_is_counted_in_portions_over_a_restart(two: Harness, tmp_path: Path) -> None:
    lived(two)
    seen = {key: two.run(two.ledger.read(daily._newest))[key] for key in (daily.ANSWERS, daily.WRITES)}
    before = read(two)

    def some(tx: Any) -> None:
        for key, until in seen.items():
            daily._count_up_to(tx, key, until - 1)

    two.run(two.ledger.write(some))
    two.reopen()
    assert read(two) == before
    counted(two)
    assert read(two) == before


def test_a_look_counts_a_bounded_number_of_rows_and_says_what_is_left(two: Harness) -> None:
    lived(two)  # seven answers and two writes

    def look(tx: Any) -> tuple[int, int, int]:
        seen = daily.together(daily.read(tx, *TODAY, most=5).values())
        return seen.asked, seen.written, daily.uncounted(tx, most=5)

    assert two.run(two.ledger.read(look)) == (5, 2, 2)
    counted(two)
    assert two.run(two.ledger.read(look)) == (7, 2, 0)


def test_a_write_that_is_not_over_is_counted_once_it_is(two: Harness) -> None:
    ada = two.person()
    two.finds(ada, EMAIL, "ada@acme.example.com", by="ann")
    two.ask()
    two.answer_all("ann")
    two.finish()
    two.run(two.ledger.write(lambda tx: tx._connection.execute("UPDATE write SET state = 'intent'") and None))
    counted(two)
    assert by_provider(two)["ann"]["written"] == 0
    two.run(two.ledger.write(lambda tx: tx._connection.execute("UPDATE write SET state = 'written'") and None))
    counted(two)
    assert by_provider(two)["ann"]["written"] == 1


def test_an_answer_that_is_shared_is_no_question(tmp_path: Path) -> None:
    """The same person in two CRMs is asked about once, and written twice."""
    crms = {"crm": FakeCrm("crm"), "second": FakeCrm("second", first=900)}
    with Harness(tmp_path, crm=crms["crm"], second=crms["second"], fields={EMAIL: ["ann"]}) as harness:
        ada = harness.person()
        twin = crms["second"].add(crms["crm"].records[ada].identity)
        harness.finds(ada, EMAIL, "ada@acme.example.com")
        harness.finds(twin, EMAIL, "ada@acme.example.com")
        harness.ask()
        harness.answer_all()
        harness.finish()
        harness.ask()
        harness.finish()
        told = by_provider(harness)["ann"]
        assert (told["asked"], told["written"]) == (1, 2)


def test_a_value_that_a_person_refuses(tmp_path: Path) -> None:
    with Harness(tmp_path, fields={EMAIL: ["ann"]}) as harness:
        sync = replace(harness.sync, approve=0)
        harness.reopen(replace(harness.settings, syncs=(sync,)))
        ada = harness.person()
        harness.finds(ada, EMAIL, "ada@acme.example.com")
        harness.ask()
        harness.answer_all()
        harness.finish()
        [one] = harness.run(harness.ledger.read(reviews.waiting))
        work = harness.ledger.write(reviews.decide, [one.id], reviews.REFUSED, "a test", now=harness.clock.now())
        harness.run(work)
        assert by_provider(harness)["ann"]["refused"] == 1


def test_who_is_erased_stays_counted_and_new_rows_with_their_numbers_are_counted(two: Harness) -> None:
    ada = two.person("Ada")
    two.finds(ada, EMAIL, "ada@acme.example.com", by="ann")
    two.ask()
    two.answer_all("ann")
    two.finish()
    before = by_provider(two)
    [(contact,)] = two.sql("SELECT id FROM contact")
    work = two.ledger.write(forgetting.erase, [contact], [], set(), now=two.clock.now(), alone=True)
    two.run(work)
    assert two.sql("SELECT count(*) FROM result") == [(0,)]
    assert by_provider(two) == before
    two.crm.records.pop(ada)
    lived(two)
    assert by_provider(two)["ann"]["asked"] == before["ann"]["asked"] + 4


def test_names_are_only_names(two: Harness) -> None:
    lived(two)
    counted(two)
    before = by_provider(two)

    def rename(tx: Any) -> None:
        configured._rename(tx, "people", "others")
        renames._rename(tx, "ann", "zoe")

    two.run(two.ledger.write(rename))
    found = read(two)
    assert {(place.sync, place.provider) for place in found} == {("others", "zoe"), ("others", "bob")}
    after = by_provider(two)
    assert {key: value for key, value in after["zoe"].items() if key != "provider"} == {
        key: value for key, value in before["ann"].items() if key != "provider"
    }


# --- what is told of them -----------------------------------------------------------------------------


def made(**counts: int) -> Figures:
    return Figures(latency=Counter({24: counts.get("found", 0)}), **counts)


def place(provider: str, *, day: int = 20_000, field: str = "email", sync: str = "people") -> Place:
    return Place(day, sync, field, provider)


FIRST = made(found=60, missed=40, verified=50, asked_first=100, found_first=60, spent_mc=120_000, written=40)
SECOND = made(found=10, missed=30, verified=9, asked_first=32, found_first=25, spent_mc=30_000)
FEW = made(found=20, missed=9, verified=20, asked_first=29, found_first=20, spent_mc=9_000)
WORLD = {place("ann"): FIRST, place("bob"): SECOND, place("cid", day=20_001): FEW, place("ann", field="phone"): FEW}


def test_it_never_ranks_on_fewer_than_thirty_and_compares_only_who_was_asked_first() -> None:
    told = figures.report(WORLD, (20_000, 20_001), ["provider"])["league"]
    ranks = {(one["field"], one["provider"]): (one["rank"], one["why_not"], one["asked_second"]) for one in told}
    assert ranks == {
        ("email", "bob"): (1, "", True),  # a quarter of all, but most of those that it was asked about first
        ("email", "ann"): (2, "", False),
        ("email", "cid"): (None, "too few to rank", False),
        ("phone", "ann"): (None, "too few to rank", False),
    }
    [late] = figures.report({place("dan"): made(found=40, missed=60, asked_first=29)}, (0, 0), [])["league"]
    assert (late["rank"], late["why_not"]) == (None, "too few were asked first to rank")


def test_intervals_are_wilsons() -> None:
    """Compared with published values (Newcombe 1998, method 3)."""
    for hits, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert wilson(hits, trials) == pytest.approx((low, high), abs=1e-4)
    assert wilson(0, 0) is None


def test_percentiles() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({0: 50, 40: 49, 80: 1}, 0.5) == 1.0
    assert percentile({0: 50, 40: 49, 80: 1}, 0.95) == 1024.0


def test_by_what_is_asked_for() -> None:
    told = figures.report(WORLD, (20_000, 20_001), figures.grouping("provider, day"))
    assert [(one["day"], one["provider"]) for one in told["rows"]] == [
        ("2024-10-04", "ann"),
        ("2024-10-04", "bob"),
        ("2024-10-05", "cid"),
    ]
    assert told["total"]["asked"] == sum(one["asked"] for one in told["rows"])
    with pytest.raises(ValueError, match="no figures by 'mood'; there are: day, sync, field, provider"):
        figures.grouping("mood")


def test_the_page_needs_nothing_else_and_says_what_it_shows() -> None:
    told = figures.report(WORLD | {place("<b>eve"): FIRST}, (20_000, 20_001), ["field", "provider"])
    text = page(told)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<script|<img|<link|url\(", text)
    assert "<b>eve" not in text
    root = ET.fromstring(text.removeprefix("<!doctype html>\n").replace('<meta charset="utf-8">', "").replace(
        '<meta name="viewport" content="width=device-width">', ""
    ))  # fmt: skip
    drawn = [one for one in root.iter() if one.tag.endswith("svg")]
    assert len(drawn) == len(charts(told)) == 3
    for svg, chart in zip(drawn, charts(told), strict=True):
        texts = {
            one.tag.rpartition("}")[2]: (one.get("id"), one.text) for one in svg if one.tag.endswith(("title", "desc"))
        }
        assert texts["title"][1] == chart.title
        assert texts["desc"][1] == chart.finding
        assert svg.get("aria-labelledby") == f"{texts['title'][0]} {texts['desc'][0]}"
        assert any(caption.text == f"{chart.title}: the same numbers" for caption in root.iter("caption"))
        assert chart.rows
        assert len(chart.heads) == len(chart.rows[0])
    assert "email: bob finds more than <b>eve" in charts(told)[0].finding


def test_a_finding_says_when_it_may_be_chance() -> None:
    near = {place("ann"): FIRST, place("bob"): made(found=55, missed=45, asked_first=100, found_first=55)}
    assert "60 % against 55 %, which may be chance." in charts(figures.report(near, (0, 0), []))[0].finding
    far = {place("ann"): FIRST, place("bob"): made(found=20, missed=80, asked_first=100, found_first=20)}
    assert "60 % against 20 %, which is more than chance." in charts(figures.report(far, (0, 0), []))[0].finding


def test_the_papers_name_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text("utf-8")
    told = figures.report(WORLD, (20_000, 20_001), ["provider"])
    keys = {*told, *told["total"], *told["league"][0], *told["days"][0]}
    assert {key for key in keys if f"`{key}`" not in text} == set()


# --- the command and the API --------------------------------------------------------------------------


def command(harness: Harness, *arguments: str) -> str:
    path = harness.path.parent / "config.yaml"
    path.write_text(CONFIG.format(path=json.dumps(str(harness.path)), secret=SECRET + "x" * 20), encoding="utf-8")
    done = CliRunner().invoke(app, ["report", *arguments, "-c", str(path)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_and_the_api_tell_the_same(two: Harness) -> None:
    lived(two)
    span = ("--since", "1970-01-01")
    told = json.loads(command(two, *span, "--by", "provider", "--json"))
    assert json.loads(command(two, *span, "--by", "provider", "--format", "json")) == told
    assert [row["asked"] for row in told["rows"]] == [4, 3]
    until = told["until"]
    reply = at_the_desk(two, lambda line: line.call("GET", f"/api/report?since=1970-01-01&until={until}&by=provider"))
    assert (reply.status, json.loads(reply.body)) == (200, told)
    wrong = at_the_desk(two, lambda line: line.call("GET", "/api/report?by=mood"))
    assert (wrong.status, "no figures by" in json.loads(wrong.body)["error"]) == (400, True)


def test_a_spreadsheet_takes_no_cell_for_a_formula(two: Harness) -> None:
    lived(two)
    for n, name in enumerate(("=1+1", "+1+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\tTab", "\rReturn")):
        two.run(two.ledger.write(_named, n, name))
    text = command(two, "--since", "1970-01-01", "--by", "sync,provider", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows
    for row in rows:
        assert row["sync"][:1] not in ("=", "+", "@", "\t", "\r")
    assert {"'=1+1", "'+1+cmd|' /C calc'!A0", "'@SUM(A1)", "'\tTab", "'\nReturn"} <= {row["sync"] for row in rows}


def _named(tx: Any, day: int, name: str) -> None:
    values = (day, name, "email", "ann", 1, *([0] * 8))
    tx._connection.execute(f"INSERT INTO daily VALUES ({', '.join('?' * len(values))})", values)


def test_the_table_names_every_figure_and_an_empty_one_says_so(two: Harness) -> None:
    assert command(two, "--since", "2020-01-01", "--until", "2020-01-02").startswith("Nothing was asked or written")
    lived(two)
    text = " ".join(command(two, "--since", "1970-01-01").split())
    assert "too few to rank" in text
    assert "Providers" in text
    assert command(two, "--since", "1970-01-01", "--format", "html").startswith("<!doctype html>")
    assert PHONE not in {row["field"] for row in json.loads(command(two, "--since", "1970-01-01", "--json"))["rows"]}
