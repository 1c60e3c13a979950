"""The code of an error is shown wherever the error is: commands, log, API, alerts."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
import structlog

from syncd import codes
from syncd.cli.tables import show_status
from syncd.config import Log, LogFormat
from syncd.contract.errors import Trouble
from syncd.ledger import connections
from syncd.log import set_up
from syncd.observe.status import concluded, look

from .callers import at_the_desk
from .harness import Harness

CODE = "connection-credentials"
SEE = "docs/reference/errors.md#connection-credentials"


@pytest.fixture
def halted(harness: Harness) -> Harness:
    halt = connections.halt
    harness.run(harness.ledger.write(halt, "ann", Trouble.CREDENTIALS, "no key", "give one", now=harness.clock.now()))
    return harness


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, as JSON; afterwards nobody is told anything, as before."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    set_up(Log(format=LogFormat.JSON), stream=stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_c20_a_halted_connection_has_the_code_of_its_trouble(halted: Harness) -> None:
    [told] = halted.conditions()
    assert told.code == CODE
    assert told.as_json()["see"] == SEE


def test_c20_status_api_and_page_show_it(halted: Harness) -> None:
    found = halted.run(halted.ledger.read(look, halted.settings, now=halted.clock.now()))
    with redirect_stdout(io.StringIO()) as shown:
        show_status({**concluded(found), "running": True})
    assert f"no key [{CODE}]" in " ".join(shown.getvalue().split())

    async def answers(line: Any) -> list[Any]:
        ready = await line.call("GET", "/readyz", accept="application/json")
        status = await line.call("GET", "/api/status")
        page = await line.call("GET", "/")
        return [json.loads(ready.body)["obstacles"], json.loads(status.body)["conditions"], page.body.decode()]

    obstacles, conditions, page = at_the_desk(halted, answers)
    assert f"[{CODE}]" in page
    assert [one["code"] for one in obstacles] == [CODE]
    assert [(one["code"], one["see"]) for one in conditions] == [(CODE, SEE)]


@pytest.mark.parametrize(
    ("event", "facts", "code"),
    [
        ("halted", {"trouble": Trouble.CREDITS}, "connection-credits"),
        ("gate_shut", {"watch": "write_right"}, "gate-write-right"),
        ("gate_shut", {"watch": "disk"}, "disk"),
        ("gate_open", {"watch": "disk"}, None),
    ],
)
def test_c20_the_log_has_it(log: io.StringIO, event: str, facts: dict[str, Any], code: str | None) -> None:
    structlog.get_logger().warning(event, **facts)
    assert json.loads(log.getvalue()).get("code") == code
    assert code is None or code in codes.CODES
