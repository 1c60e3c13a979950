"""Traces: a real exporter, and a receiver of OTLP over HTTP on loopback."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from syncd.config import Traces
from syncd.contract.http import Http
from syncd.contract.watched import Calls, watching
from syncd.observe import traces

from .harness import Harness
from .receivers import collector


def told(span: Any) -> dict[str, Any]:
    """The attributes of a span."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def answer(request: httpx.Request) -> httpx.Response:
    """A vendor: the path says with which status."""
    return httpx.Response(500 if "down" in request.url.path else 200, stream=httpx.ByteStream(b"{}"))


def test_a_unit_of_work_and_the_calls_that_it_makes_are_spans_and_tell_nobody(harness: Harness) -> None:
    with collector() as there:
        made = Traces.model_validate(
            {"endpoint": f"http://127.0.0.1:{there.port}/v1/traces", "headers": {"authorization": "Bearer abc"}}
        )
        calls = Calls(tracer=traces.start(made))
        vendor = Http("https://vendor.example.com", {}, transport=httpx.MockTransport(answer))

        async def work() -> None:
            assert calls.tracer is not None
            with (
                calls.tracer.unit("dispatch", "ann", {"moved": 3, "note": "ada@acme.example.com"}),
                watching(calls, "ann"),
            ):
                await vendor.call("POST", "/contacts/ada@acme.example.com/enrich?name=Ada", json_body={"name": "Ada"})
                with pytest.raises(Exception, match="500"):
                    await vendor.call("GET", "/down/501")
            with calls.tracer.unit("sweep", "", {"moved": 0}):
                pass
            with pytest.raises(ValueError, match="Ada"), calls.tracer.unit("pull", "people", {}):
                raise ValueError("Ada Lovelace")
            calls.tracer.close()

        harness.run(work())
        spans = {span.name: span for span in there.spans()}
        assert set(spans) == {"dispatch", "POST /contacts/{id}/enrich", "GET /down/{id}", "pull"}
        unit, call, down = spans["dispatch"], spans["POST /contacts/{id}/enrich"], spans["GET /down/{id}"]
        assert call.parent_span_id == down.parent_span_id == unit.span_id
        assert told(unit) == {"syncd.of": "ann", "syncd.moved": 3, "syncd.called": True}
        assert told(call) == {
            "syncd.connection": "ann",
            "http.request.method": "POST",
            "http.route": "/contacts/{id}/enrich",
            "syncd.outcome": "2xx",
        }
        assert told(down)["syncd.outcome"] == "5xx"
        assert told(spans["pull"])["error.type"] == "ValueError"
        everything = b" ".join(there.bodies)
        assert b"Ada" not in everything
        assert b"ada@" not in everything
        assert there.headers[0]["authorization"] == "Bearer abc"


def test_a_receiver_that_is_not_there_holds_up_nobody_for_long(harness: Harness) -> None:
    made = Traces.model_validate({"endpoint": "http://127.0.0.1:9/v1/traces"})
    calls = Calls(tracer=traces.start(made))
    assert calls.tracer is not None
    with calls.tracer.unit("pull", "people", {"moved": 1}):
        pass
    closing = threading.Thread(target=calls.tracer.close)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    assert harness.parts.calls.tracer is None, "nobody traces where it is not configured"
