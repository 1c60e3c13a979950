"""Labelled places of a process, at each of which it can be killed: before and after every unit of work of
the ledger, after it has worked and before it is committed, before and after every call to the outside,
before and after every 200.

In here: the labels, and the ledger, connectors and receiver that pass them. They are given to the
harness in the place of the plain ones; the product knows nothing of them.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import parse_qs

from syncd.ledger.store import Ledger, Tx

P = ParamSpec("P")
T = TypeVar("T")

SYNCD = Path(__file__).parents[2] / "syncd"
PASSED_ON = {"_record", "_write"}  # methods that hand their first argument to `Ledger.write`
OUTSIDE = {"submit", "poll", "parse", "check", "balance", "pull", "read", "write"}


class Labels:
    """Counts what is passed. `fatal`: a label and at which passing of it the process ends, at once."""

    def __init__(self, fatal: tuple[str, int] | None = None) -> None:
        self.passed: Counter[str] = Counter()
        self._fatal = fatal

    def passing(self, label: str) -> None:
        self.passed[label] += 1
        if (label, self.passed[label]) == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def name_of(work: Callable[..., Any]) -> str:
    """What a unit of work is called here: its module's last name and its own."""
    return f"{work.__module__.rpartition('.')[2]}.{work.__name__}"


class LabelledLedger(Ledger):
    """The real one. `puts_off`: units of work that are called done before they are begun, a planted bug."""

    labels = Labels()
    puts_off: frozenset[str] = frozenset()

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._put_off: list[Callable[[], Awaitable[Any]]] = []

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        name = name_of(work)

        def within(tx: Tx) -> T:
            done = work(tx, *args, **kwargs)
            self.labels.passing(f"within {name}")
            return done

        self.labels.passing(f"before {name}")
        if name in self.puts_off:
            self._put_off.append(lambda: super(LabelledLedger, self).write(within))
            return True  # type: ignore[return-value]  # that is the bug
        while self._put_off:
            await self._put_off.pop(0)()
        result = await super().write(within)
        self.labels.passing(f"after {name}")
        return result


class LabelledPort:
    """A connector, with a label before and after each of its calls to the outside."""

    def __init__(self, connector: Any, port: str, labels: Labels) -> None:
        self._connector = connector
        self._port = port
        self._labels = labels

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connector, name)
        if name not in OUTSIDE:
            return found
        label = f"{self._port}.{name}"
        if inspect.isasyncgenfunction(found):
            return lambda *args: self._pages(label, found(*args))
        return self._call(label, found) if inspect.iscoroutinefunction(found) else self._reading(label, found)

    def _call(self, label: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def labelled(*args: Any) -> Any:
            self._labels.passing(f"before {label}")
            try:
                return await call(*args)
            finally:
                self._labels.passing(f"after {label}")

        return labelled

    def _reading(self, label: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def labelled(*args: Any) -> Any:
            self._labels.passing(f"before {label}")
            try:
                return call(*args)
            finally:
                self._labels.passing(f"after {label}")

        return labelled

    async def _pages(self, label: str, pages: AsyncIterator[Any]) -> AsyncIterator[Any]:
        self._labels.passing(f"before {label}")
        async for page in pages:
            self._labels.passing(f"after {label}")
            yield page
            self._labels.passing(f"before {label}")


class LabelledReceiver:
    """The public application. `acknowledged` is told each submission and body that gets its 200, just before."""

    def __init__(self, application: Any, labels: Labels, acknowledged: Callable[[str, str], None]) -> None:
        self._application = application
        self._labels = labels
        self._acknowledged = acknowledged

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].endswith("/canary"):
            await self._application(scope, receive, send)
            return
        body = bytearray()

        async def hear() -> Any:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def say(message: Any) -> None:
            if message.get("status") == 200:
                self._labels.passing("before Receiver.200")
                query = parse_qs(scope["query_string"].decode())
                self._acknowledged(query["a"][0], hashlib.sha256(body).hexdigest())
            await send(message)
            if message["type"] == "http.response.body":
                self._labels.passing("after Receiver.200")

        await self._application(scope, hear, say)


# --- what there is to pass ------------------------------------------------------------------------


def units_of_work() -> set[str]:
    """Every function that the product's stages and listeners give to `Ledger.write`."""
    files = [*sorted(SYNCD.glob("pipeline/*.py")), *sorted(SYNCD.glob("web/*.py"))]
    return {name for path in files for name in _given(path)}


def _given(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _writes(node.func):
            yield from _named(node.args[0], imported, path.stem)


def _writes(called: ast.expr) -> bool:
    """Is it `….ledger.write`, `held.write`, `held.finish`, or a method that passes on to it?"""
    if not isinstance(called, ast.Attribute):
        return False
    of = called.value
    if called.attr in {"write", "finish"} and getattr(of, "id", getattr(of, "attr", "")) in {"held", "_held"}:
        return True
    ledger = (isinstance(of, ast.Attribute) and of.attr == "ledger") or (isinstance(of, ast.Name) and of.id == "ledger")
    return (called.attr == "write" and ledger) or called.attr in PASSED_ON


def _named(given: ast.expr, imported: dict[str, str], here: str) -> Iterator[str]:
    match given:
        case ast.Name(id="work" | "unit"):
            return  # handed on, by one of PASSED_ON or a claim, whose own callers are looked at
        case ast.Name(id=name):
            yield ".".join(imported.get(name, f"{here}.{name}").split(".")[-2:])
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            yield f"{imported.get(module, module).rpartition('.')[2]}.{name}"
        case _:
            yield f"{here}: {ast.unparse(given)}"
