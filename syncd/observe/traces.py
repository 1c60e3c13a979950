"""Traces by OpenTelemetry, where they are configured: a span for each unit of work, and below it one for each call.

Spans tell connections, stages, routes, outcomes and counts; nothing of what was sent, and nobody's name. `start` alone
imports OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from syncd import __version__
from syncd.config import Traces
from syncd.contract.errors import ConfigError
from syncd.contract.watched import FAILED

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

MISSING = "traces: OpenTelemetry is not installed; install syncd[traces], or remove `traces` from the configuration"
Told = str | int | float | bool


def start(traces: Traces) -> Spans:
    """Spans from now on, sent every few seconds by a thread of its own. Raises ConfigError without the extra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an option
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError([MISSING]) from error
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(traces.sample)),
        resource=Resource.create({"service.name": "syncd", "service.version": __version__}),
        shutdown_on_exit=False,
    )
    headers = {name: value.get_secret_value() for name, value in traces.headers.items()}
    provider.add_span_processor(
        _only_what_moved(BatchSpanProcessor)(OTLPSpanExporter(traces.endpoint, headers=headers))
    )
    return Spans(provider)


class Spans:
    """What `contract.watched` asks of a tracer."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer: Tracer = provider.get_tracer("syncd", __version__)
        from opentelemetry.trace import get_current_span  # noqa: PLC0415 - imported by then

        self._current = get_current_span

    def call(self, connection: str, method: str, route: str) -> _Call:
        """A call to the outside begins, as a part of the unit of work that makes it."""
        self._current().set_attribute("syncd.called", True)
        told = {"syncd.connection": connection, "http.request.method": method, "http.route": route}
        return _Call(self._tracer.start_span(f"{method} {route}", kind=_client(), attributes=told))

    @contextmanager
    def unit(self, name: str, of: str, facts: Mapping[str, object]) -> Iterator[None]:
        """A unit of work, which tells its facts when it ends."""
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
            span.set_attribute("syncd.of", of)
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)  # its text may tell more than is to leave
                raise
            finally:
                span.set_attributes(_told(facts))

    def close(self) -> None:
        """What is left is sent; a receiver that does not answer is not waited for long."""
        self._provider.force_flush(2_000)
        self._provider.shutdown()


class _Call:
    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, outcome: str) -> None:
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - imported by then

        self._span.set_attribute("syncd.outcome", outcome)
        if outcome in FAILED:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def _client() -> Any:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - imported by then

    return SpanKind.CLIENT


def _told(facts: Mapping[str, object]) -> dict[str, Told]:
    """Counts alone: a text may be about somebody."""
    return {f"syncd.{key}": value for key, value in facts.items() if isinstance(value, int | float | bool)}


def _only_what_moved(processor: type) -> type:
    """Leaves out passes of a stage that found nothing to do: there are several a second."""

    class OnlyWhatMoved(processor):  # type: ignore[misc]
        def on_end(self, span: Any) -> None:
            told = span.attributes
            if span.parent or told.get("syncd.moved") or told.get("syncd.called") or "error.type" in told:
                super().on_end(span)

    return OnlyWhatMoved
