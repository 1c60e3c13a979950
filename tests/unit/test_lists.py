"""Every list of the pages is the same as CSV, as JSON and by a command, and its filter stands in the address."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shlex
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from syncd.cli import app
from syncd.contract.model import Identity
from syncd.csvs import cell

from .conftest import Build
from .harness import Harness
from .test_api_acts import in_doubt
from .test_approve import approving
from .test_cli_review import CONFIG
from .test_pages import ANN, browse

CALLS = ["calls in doubt", "calls without a price", "answers that were set aside"]


def offered(harness: Harness, path: str) -> list[dict[str, str]]:
    """What a page offers at its foot: the addresses of CSV and JSON, and the command."""
    text = browse(harness, lambda client: client.get(path)).text
    found = []
    for part in re.findall(r'<p class="also">(.*?)</p>', text, re.DOTALL):
        links = dict(reversed(one) for one in re.findall(r'href="([^"]*)"(?: download)?>(CSV|JSON)<', part))
        command = re.search("<code>(.*?)</code>", part)
        assert command, part
        found.append({key: html.unescape(one) for key, one in {**links, "command": command[1]}.items()})
    return found


def fetched(harness: Harness, path: str) -> httpx.Response:
    reply = browse(harness, lambda client: client.get(path))
    assert reply.status_code == 200, reply.text
    return reply


def run(harness: Harness, command: str, *more: str) -> Any:
    file = harness.path.parent / "config.yaml"
    file.write_text(CONFIG.format(path=json.dumps(str(harness.path)), secret="x" * 40), encoding="utf-8")
    name, *words = shlex.split(command)
    assert name == "syncd"
    done = CliRunner().invoke(app, [*words, *more, "-c", str(file), "--json"])
    assert done.exit_code == 0, (command, done.output, done.exception)
    return json.loads(done.stdout)


def rows_of(told: Any) -> list[dict[str, Any]]:
    """The list within what JSON tells."""
    if isinstance(told, list):
        return told
    return next(told[key] for key in ("contacts", "values", "rows", "budgets", "jobs") if key in told)


def assert_the_same(harness: Harness, path: str, *more: str, index: int = 0) -> list[dict[str, Any]]:
    """CSV, JSON and the command of a page tell the same rows; returns them."""
    one = offered(harness, path)[index]
    rows = rows_of(fetched(harness, one["JSON"]).json())
    lines = list(csv.DictReader(io.StringIO(fetched(harness, one["CSV"]).text)))
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        for key in line.keys() & row.keys():
            if isinstance(row[key], str):
                assert line[key] == cell(row[key])
    assert rows_of(run(harness, one["command"], *more)) == rows
    return rows


@pytest.mark.parametrize(
    ("path", "n"),
    [
        ("/contacts", 2),
        ("/contacts?q=reason:written", 1),
        ("/contacts?q=nobody", 0),
        ("/runs", 1),
        ("/runs?sync=people&since=2026-01-01", 1),
        ("/runs?sync=others", 0),
        ("/runs?before=1", 0),
    ],
)
def test_a_list_is_the_same_as_csv_as_json_and_by_a_command(written: Harness, path: str, n: int) -> None:
    written.recover()
    if path == "/runs?before=1":  # the command has the same option, for a page that has an older one
        assert rows_of(fetched(written, "/api/runs?before=1").json()) == []
        return
    assert len(assert_the_same(written, path)) == n


@pytest.mark.parametrize("query", ["run=1", f"contact={ANN}&since=2026-01-01"])
def test_what_would_be_put_back_is_the_same_everywhere(written: Harness, query: str) -> None:
    rows = assert_the_same(written, f"/undo?{query}", "--offline", "--unmasked")
    assert [row["ours"] for row in rows] == ["ada@acme.example.com"]


def test_budgets_and_providers_are_offered_the_same_way(written: Harness) -> None:
    written.recover()
    [budgets] = offered(written, "/budgets")
    assert budgets["command"] == "syncd status"
    assert fetched(written, budgets["JSON"]).json() == run(written, budgets["command"])["budgets"]
    assert fetched(written, budgets["CSV"]).text.startswith("budget,window,cap")
    rows = assert_the_same(written, "/providers?since=2026-01-01")
    assert [row["provider"] for row in rows] == ["ann"]


@pytest.mark.parametrize(
    ("query", "n"), [("", 2), ("?field=email&why=approval", 2), ("?provider=bob", 0), ("?q=bo", 1)]
)
def test_values_that_wait_are_the_same_everywhere(build: Build, query: str, n: int) -> None:
    harness, _ = approving(build, people=2)
    rows = assert_the_same(harness, f"/review{query}", "--unmasked")
    assert len(rows) == n


def test_calls_in_doubt_without_a_price_and_answers_set_aside_are_the_same_everywhere(build: Build) -> None:
    harness = in_doubt(build)
    assert [one["command"] for one in offered(harness, "/doubts")] == [
        "syncd in-doubt list", "syncd in-doubt list --expired", "syncd in-doubt list --set-aside",
    ]  # fmt: skip
    for index, n in enumerate((1, 0, 0)):
        assert len(assert_the_same(harness, "/doubts", index=index)) == n, CALLS[index]
    assert len(assert_the_same(harness, "/doubts?provider=ann&sync=people&since=2026-01-01")) == 1
    assert assert_the_same(harness, "/doubts?provider=bob") == []


def test_a_contacts_journey_is_a_list_too(written: Harness) -> None:
    [one] = offered(written, f"/contacts/{ANN}?show=changes")
    lines = list(csv.DictReader(io.StringIO(fetched(written, one["CSV"]).text)))
    assert [(line["verb"], line["before"], line["after"]) for line in lines] == [
        ("written", "", "ada@acme.example.com")
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", lines[0]["at"])
    assert fetched(written, one["JSON"]).json()["contact"] == run(written, one["command"])["contact"] == ANN


def test_no_cell_of_any_list_is_taken_for_a_formula(written: Harness) -> None:
    written.crm.add(Identity(full_name="=1+1", company="@SUM(A1)", domain="acme.example"))
    written.clock.time += 1000
    written.pull()
    written.plan()
    text = fetched(written, "/api/contacts?format=csv").text
    assert "'=1+1" in text
    assert "'@SUM" in text
    assert not re.search(r"(^|,)[=@]", text, re.MULTILINE)


@pytest.mark.parametrize(
    "path",
    [
        "/api/contacts?format=xml", "/api/contacts?limit=0", "/api/reviews?sort=fun", "/api/runs?since=soon",
        "/api/runs?before=x", "/api/in-doubt?since=soon", "/api/set-aside?before=-1", "/api/undo",
        "/api/report?format=xml", "/doubts?since=soon", "/doubts?before=x", "/runs?since=soon", "/runs?before=x",
        "/undo?run=1&from=x", "/providers?since=soon",
    ],
)  # fmt: skip
def test_what_can_not_be_read_in_an_address_is_said(written: Harness, path: str) -> None:
    reply = browse(written, lambda client: client.get(path))
    assert reply.status_code == 400, reply.text
