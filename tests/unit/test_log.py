"""Logging: what one line looks like, and that nothing private is ever on it."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from syncd.contract.errors import Retry
from syncd.log import Redaction, unit, without_locals

EMAILS = ["canary@example.com", "Canary.O'Neil+x@sub.example.com", "canary%40example.com", "cänary@exämple.test"]
PHONES = [
    "+44 7700 900123",
    "+447700900123",
    "00447700900123",
    "447700900123",
    "(212) 555-0123",
    "212-555-0123",
    "06 39 98 00 01",
    "06.39.98.00.01",
    "+33 (0)6 39 98 00 01",
    "+44\u00a020\u00a07946\u00a00123",
]
KEYS = ["pat-eu1-canary00-1111-2222", "Bearer canary", "sk_live_canary0123456789abcd", "canaryBase64+/0123456789abcd=="]
REDACT = Redaction(["short-canary"])


def line(**values: Any) -> dict[str, Any]:
    return dict(REDACT(None, "info", values))


# --- redaction ------------------------------------------------------------------------------------


@pytest.mark.parametrize("canary", [*EMAILS, *PHONES, *KEYS])
@pytest.mark.parametrize("text", ["{}", "found {} at last", "x={}", "'{}'", "<{}>", "[{}, 1]"])
def test_a_canary_in_a_text_is_masked(canary: str, text: str) -> None:
    shown = json.dumps(line(event=text.format(canary), anything=text.format(canary)), ensure_ascii=False)
    assert "anary" not in shown
    assert not any(digits in shown for digits in ("900123", "0123", "555", "39 98", "39.98"))


@pytest.mark.parametrize(
    "canary", [*EMAILS, "Bearer canary", "/callbacks/x?a=canary&m=1", "https://canary@h.test/#canary"]
)
def test_even_keys_of_ours_carry_no_address_and_no_query(canary: str) -> None:
    assert "canary" not in json.dumps(line(contact=canary, job=[canary]))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("POST /callbacks/zeliq?a=1&m=2 gone", "POST /callbacks/zeliq?<query> gone"),
        ("https://api.example.com/v3/x?hapikey=1", "https://api.example.com/v3/x?<query>"),
        ("https://me:pw@example.com/a", "https://<user>@example.com/a"),
        ("api_key=abc", "api_key=<token>"),
        ('{"access_token": "abc"}', '{"access_token": "<token>"}'),
        ("a\nb\x1b[31m\u2028c", "a b [31m c"),
        ("the key short-canary is refused", "the key <secret> is refused"),
    ],
)
def test_how_a_text_is_masked(text: str, shown: str) -> None:
    assert line(event=text)["event"] == shown


@pytest.mark.parametrize(
    "text",
    [
        "listening on 127.0.0.1:8080",
        "192.168.100.200 refused",
        "2026-01-04 09:00:00",
        "hubspot-eu/contacts/5012345678 is gone",
        "waiting 12.5 s for 3 of 400 jobs",
        "/var/lib/syncd/ledger.db: HTTP 429",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert line(event=text)["event"] == text


def test_ids_and_sums_of_ours_stay_and_others_do_not() -> None:
    ids: dict[str, Any] = {"contact": "crm/contacts/447700900123", "job": 447700900123, "submission": "a1" * 16}
    assert line(**ids) == ids
    assert line(other=447700900123, submitted="a1" * 16, few=12) == {
        "other": "<number>",
        "submitted": "<token>",
        "few": 12,
    }
    assert line(credits=Decimal("12.5"), ready=True, nothing=None) == {
        "credits": "12.5",
        "ready": True,
        "nothing": None,
    }


def test_private_keys_show_nothing_but_counts() -> None:
    shown = line(api_key="x", email="x", new_value="x", body="x", headers={"a": "x"}, phone=["x"])
    assert set(map(str, shown.values())) == {"<hidden>"}
    assert line(email=3, phone=0) == {"email": 3, "phone": 0}


def test_inner_values_and_strange_types() -> None:
    class Contact:
        def __repr__(self) -> str:
            return "canary"

    assert line(a={"b": ["canary@example.com"], "token": "x"}) == {"a": {"b": ["<email>"], "token": "<hidden>"}}
    assert line(a=Contact(), b=b"canary", c=Path("/tmp/x"), d=("y",)) == {
        "a": "<Contact>",
        "b": "<bytes>",
        "c": "/tmp/x",
        "d": ["y"],
    }


@given(st.text(max_size=300), st.sampled_from([*EMAILS, *PHONES[:2]]), st.text(max_size=300))
def test_no_text_around_it_lets_a_canary_through(before: str, canary: str, after: str) -> None:
    assert canary not in line(event=f"{before} {canary} {after}")["event"]


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "-" * 50_000, "/" * 50_000, "1 " * 25_000, "%40" * 20_000, "a1-" * 20_000]
)
@pytest.mark.timeout(60)
def test_long_texts_are_cut_and_cost_little(text: str) -> None:
    assert len(line(event=text)["event"]) <= 2000


def test_an_exception_is_told_without_locals_and_masked() -> None:
    def fail(secret_of_ours: str) -> None:
        try:
            dict[str, str]()[secret_of_ours]
        except KeyError as error:
            raise ValueError(f"can't use {secret_of_ours}\nand more canary") from error

    with pytest.raises(ValueError, match="can't use") as caught:
        fail("canary@example.com")
    shown = REDACT(None, "error", without_locals(None, "error", {"event": "x", "exc_info": caught.value}))["exception"]
    assert shown[0] == "ValueError: can't use <email>"
    assert "KeyError: '<email>'" in shown
    assert any(place.startswith("  at tests/unit/test_log.py:") and place.endswith(" fail") for place in shown)
    assert "canary" not in str(shown)


# --- a unit of work -------------------------------------------------------------------------------


@contextmanager
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as caught:
        yield caught


def ticking() -> float:
    return next(_TICKS)


_TICKS = iter(x * 0.25 for x in range(1000))


def test_a_unit_writes_one_line() -> None:
    with lines() as caught, unit("dispatch", monotonic=ticking, connection="owl") as facts:
        facts["sent"] = 3
    assert caught == [
        {
            "event": "dispatch",
            "unit": "dispatch",
            "connection": "owl",
            "sent": 3,
            "outcome": "done",
            "duration": 0.25,
            "log_level": "info",
        }
    ]


def test_a_unit_without_anything_done_is_for_debugging() -> None:
    with lines() as caught, unit("pull") as facts:
        facts["pulled"] = 0
    assert [said["log_level"] for said in caught] == ["debug"]


def test_lines_within_a_unit_carry_its_fields() -> None:
    with lines() as caught:
        with unit("pull", sync="people"):
            structlog.get_logger().info("page")
        structlog.get_logger().info("after")
    assert (caught[0]["unit"], caught[0]["sync"]) == ("pull", "people")
    assert "sync" not in caught[2]


@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [
        (Retry("HTTP 503"), "failed", "warning"),
        (ZeroDivisionError("x"), "broken", "error"),
        (asyncio.CancelledError(), "cancelled", "info"),
    ],
)
def test_a_unit_that_fails_says_so_and_fails(error: BaseException, outcome: str, level: str) -> None:
    def poll() -> None:
        with unit("poll") as facts:
            facts["polled"] = 1
            raise error

    with lines() as caught, pytest.raises(type(error)):
        poll()
    (said,) = caught
    assert (said["outcome"], said["log_level"], said["polled"]) == (outcome, level, 1)
    assert said.get("error") in {None, type(error).__name__}


# --- the whole, in a process of its own -----------------------------------------------------------

PROGRAM = """
import logging, sys, structlog
from syncd.config import Log
from syncd.log import set_up, unit

canaries = sys.argv[2].split("|")
set_up(Log(format=sys.argv[1], level="info"), stream=sys.stdout, hidden=["short-canary"])
log = structlog.get_logger()
log.debug("not shown")
for canary in canaries:
    for name in ("uvicorn.error", "uvicorn.access", "apscheduler", "httpx", "anything"):
        logging.getLogger(name).info("not shown %s", canary)
        logging.getLogger(name).warning("warned of %s", canary)
    log.info(f"said {canary}", anything=canary, inner={canary: [canary]})
    with unit("u", connection="owl") as facts:
        facts["note"] = canary
    try:
        with unit("u", connection="owl"):
            hidden_local = canary
            raise RuntimeError(canary)
    except RuntimeError:
        log.exception("again")
        logging.getLogger("anything").exception("and %s", canary)
"""


def run(form: str, canaries: list[str]) -> str:
    command = [sys.executable, "-c", PROGRAM, form, "|".join(canaries)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("form", ["json", "console", "auto"])
def test_no_canary_leaves_the_process(form: str) -> None:
    said = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", run(form, [*EMAILS, *PHONES, *KEYS, "short-canary", "/x?m=canary"]))
    assert said.count("warned of") == 5 * 20
    assert "not shown" not in said
    assert "anary" not in said
    assert not any(digits in said for digits in ("900123", "555-0123", "39 98", "39.98", "7946"))


def test_json_lines_are_json_and_complete() -> None:
    said = [json.loads(text) for text in run("auto", ["canary@example.com"]).splitlines()]
    assert all({"event", "level", "timestamp"} <= one.keys() for one in said)
    assert said[0] | {"timestamp": ""} == {
        "event": "warned of <email>",
        "level": "warning",
        "timestamp": "",
        "logger": "uvicorn.error",
    }
    broken = next(one for one in said if one.get("outcome") == "broken")
    assert (broken["level"], broken["connection"], broken["exception"][0]) == ("error", "owl", "RuntimeError: <email>")
    assert sum("exception" in one for one in said) == 3
