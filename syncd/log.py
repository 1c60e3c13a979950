"""Logging: one line per unit of work, readable on a terminal, JSON elsewhere, and nothing personal in it.

In here: the set-up of structlog and of the standard library's loggers, the redaction that
every line passes last, and `unit`, which writes the one line of a unit of work. Not in here: what
is worth a line. Names of people can't be recognised: don't log them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import PurePath
from typing import Any, TextIO

import structlog

from syncd import codes, systemd
from syncd.config import Log, LogFormat
from syncd.contract.errors import SyncdError

# Keys whose values are ours: long numbers and random ids under them are left as they are. Under any
# other key they look like phones and tokens, and are masked.
OURS = frozenset(
    {"timestamp", "logger", "connection", "contact", "job", "submission", "request", "delivery", "sync", "version"}
    | {"duration", "after", "seconds", "pid", "bytes", "size", "count", "credits", "balance", "limit"}
)
_PRIVATE_KEY = re.compile(
    r"(?:^|_)(?:token|secret|secrets|password|authorization|cookie|key|signature|email|mail|phone|mobile|value|values"
    r"|body|first_name|last_name|full_name|linkedin|linkedin_url|identity|headers|query|url)$"
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"((?:https?://|/)[^\s?#\"'<>]{0,500})[?#][^\s\"'<>]+"), r"\1?<query>"),
    (re.compile(r"(https?://)[^\s/@]{1,200}@"), r"\1<user>@"),
    (re.compile(r"(?:[^\s@<>\"'(),;:=/]|(?<=\w)'(?=\w)){1,64}(?:@|%40)[^\s@<>\"'(),;:=/]+"), "<email>"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 <token>"),
    (re.compile(r"(?i)((?:token|secret|password|key|authorization)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]+"), r"\1<token>"),
    (re.compile(r"[\w+/-]{16,}={1,2}(?![\w=])"), "<token>"),
    (re.compile(r"(?<!\w)(?=[\w+=~-]{0,99}\d)(?=[\w+=~-]{0,99}[A-Za-z])[\w+=~-]{20,}"), "<token>"),
    (
        re.compile(  # seven digits and more; no date, no IPv4 address, no part of a longer id
            r"(?:\+|(?<![\w/.+-]))(?!\d{4}-\d\d-\d\d)(?!\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d))"
            r"\(?\d(?:[\s().\u00a0\u2010-\u2013-]{0,3}\d){6,}"
        ),
        "<phone>",
    ),
)
_OURS_RULES = _RULES[:5]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LONGEST = 2000
_PRIORITIES = {
    "critical": systemd.CRITICAL,
    "error": systemd.ERROR,
    "warning": systemd.WARNING,
    "info": systemd.INFO,
    "debug": systemd.DEBUG,
}
_QUIET = ("uvicorn", "uvicorn.error", "uvicorn.access", "apscheduler", "httpx", "httpcore", "asyncio")

Facts = dict[str, Any]
"""What a unit of work wants to say of itself on its one line."""


def set_up(log: Log, *, stream: TextIO | None = None, hidden: Collection[str] = ()) -> None:
    """Send every line of the process, ours and the libraries', to `stream` (standard error), in one form.

    `hidden` are secrets that are masked wherever they appear. Libraries speak from WARNING on.
    uvicorn must be started with `log_config=None`. Calling it again replaces what was set up before.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty()
    console = log.format is LogFormat.CONSOLE or (log.format is LogFormat.AUTO and terminal)
    renderers: list[Any] = [structlog.processors.JSONRenderer(ensure_ascii=False)]
    if console:
        colours = terminal and "NO_COLOR" not in os.environ
        renderers = [_exception_below, structlog.dev.ConsoleRenderer(colors=colours)]
    if systemd.is_journal(stream):
        renderers = [*renderers[:-1], _for_the_journal(renderers[-1])]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _coded,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[remove, without_locals, Redaction(hidden), *renderers],
        )
    )
    ours = logging.getLevelNamesMapping()[log.level.upper()]
    _install(handler, ours=ours)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(ours),  # what is not shown is not made
        logger_factory=lambda *_: logging.getLogger("syncd"),
        cache_logger_on_first_use=False,
    )


def _coded(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The code of what halts a connection, or shuts the gate: its entry in the list of errors."""
    if line.get("trouble"):
        line.setdefault("code", codes.of_trouble(line["trouble"]))
    elif line.get("event") == "gate_shut":
        line.setdefault("code", codes.of_watch(line["watch"]))
    return line


def _install(handler: logging.Handler, *, ours: int) -> None:
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("syncd").setLevel(ours)
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.WARNING)


@contextmanager
def unit(name: str, *, monotonic: Callable[[], float] = time.monotonic, **fields: Any) -> Iterator[Facts]:
    """Write one line when the block ends: its facts, how long it took (seconds), how it ended.

        with unit("dispatch", connection="owl") as u:
            u["sent"] = 3

    `fields` are also on every other line that is written meanwhile. A unit in which nothing
    happened (all facts are zero or empty) is only of interest at the level debug.
    """
    facts: Facts = {}
    logger = structlog.get_logger()
    started = monotonic()

    def ended(outcome: str, **more: Any) -> Facts:
        return {**facts, "outcome": outcome, **more, "duration": round(monotonic() - started, 3)}

    with structlog.contextvars.bound_contextvars(unit=name, **fields):
        try:
            yield facts
        except (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
            logger.info(name, **ended("cancelled"))
            raise
        except SyncdError as error:
            logger.warning(name, **ended("failed", error=type(error).__name__, detail=str(error)))
            raise
        except BaseException as error:
            logger.exception(name, **ended("broken", error=type(error).__name__))
            raise
        say = logger.info if any(facts.values()) else logger.debug
        say(name, **ended("done"))


# --- what every line passes last ------------------------------------------------------------------


def without_locals(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by type, first line of the message, and places; no source, no values."""
    raised = line.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        line["exception"] = _told(error)
    line.pop("stack_info", None)
    return line


def _told(error: BaseException) -> list[str]:
    told: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        told.append(f"{type(current).__name__}: {(str(current).splitlines() or [''])[0]}")
        told.extend(
            f"  at {'/'.join(PurePath(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)[-12:]
        )
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return told


def _for_the_journal(render: Callable[[Any, str, MutableMapping[str, Any]], str]) -> Callable[..., str]:
    """With its priority in front of each line, and without the time: the journal keeps its own."""

    def rendered(logger: Any, method: str, line: MutableMapping[str, Any]) -> str:
        line.pop("timestamp", None)
        mark = f"<{_PRIORITIES.get(str(line.get('level')), systemd.INFO)}>"
        return "\n".join(mark + one for one in render(logger, method, line).splitlines())

    return rendered


def _exception_below(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if "exception" in line:
        line["exception"] = "\n".join(line["exception"])
    return line


class Redaction:
    """Masks what must never be in a log: the last processor before the renderer."""

    def __init__(self, hidden: Collection[str] = ()) -> None:
        self._hidden = sorted((value for value in hidden if len(value) >= 4), key=len, reverse=True)

    def __call__(self, _logger: Any, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {key: self.value(key, value) for key, value in line.items()}

    def value(self, key: str, value: Any) -> Any:
        """What may be shown of a value that stands under a key."""
        if value is None or isinstance(value, int | float | Decimal):
            return self._number(key, value)
        if _PRIVATE_KEY.search(key.lower()):
            return "<hidden>"
        if isinstance(value, Mapping):
            return {self.text(str(inner), _RULES): self.value(str(inner), part) for inner, part in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(key, part) for part in value]
        if isinstance(value, str | PurePath | date | BaseException):
            return self.text(str(value), _OURS_RULES if key in OURS else _RULES)
        return f"<{type(value).__name__}>"

    def _number(self, key: str, value: float | Decimal | None) -> float | str | None:
        if value is not None and key not in OURS and abs(float(value)) >= 1_000_000:
            return "<number>"
        return str(value) if isinstance(value, Decimal) else value

    def text(self, text: str, rules: tuple[tuple[re.Pattern[str], str], ...]) -> str:
        """A text with every secret, address, number and query masked, on one line."""
        text = text[: 4 * _LONGEST]
        for secret in self._hidden:
            text = text.replace(secret, "<secret>")
        text = _CONTROL.sub(" ", text)
        for pattern, instead in rules:
            text = pattern.sub(instead, text)
        return text[:_LONGEST]


def masked(text: str, hidden: Collection[str] = ()) -> str:
    """A text of several lines, each as it may stand in a log."""
    redaction = Redaction(hidden)
    return "\n".join(redaction.text(line, _RULES) for line in text.splitlines())
