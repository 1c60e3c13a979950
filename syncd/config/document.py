"""Strict YAML with line numbers, and the report that collects what is wrong with it.

Stricter than YAML on purpose: no anchors and aliases (a few bytes can unfold to gigabytes), no
duplicate keys (the last one would win in silence), no tags, one document, at most 1 MiB.
Plain scalars are YAML 1.2's (`core_schema`). What the values mean is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from syncd.contract.errors import ConfigError

from . import core_schema

Where = tuple[str | int, ...]
"""The way to a value from the root: keys, and positions in lists."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
_NO_PLAIN_START = re.compile("alphabetic or numeric|cannot start any token")  # as libyaml says it

_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type] # chosen at run time
    """Takes each scalar as text: what a plain one means is said in `core_schema`."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class Report:
    """Problems and warnings, each with file, line and key; in the order of their lines."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._lines: dict[Where, int] = {(): 1}
        self._problems: dict[str, int] = {}
        self._warnings: dict[str, int] = {}
        self._hidden: set[str] = set()
        self.written: dict[Where, tuple[str, Any]] = {}  # what stands in plain for something that is no text

    def stands(self, where: Where, line: int) -> None:
        """Remember the line (from 1) of a value."""
        self._lines[where] = line

    def hide(self, value: str) -> None:
        """Never let this value appear in a message."""
        if len(value) >= 4:
            self._hidden.add(value)

    def problem(self, where: Where, what: str, *, line: int | None = None) -> None:
        """Add `what; what to do` at a place; for a missing key, the line of what it is missing in."""
        line = line or self._line(where)
        self._problems.setdefault(self._text(where, what, line), line)

    def warn(self, where: Where, what: str) -> None:
        line = self._line(where)
        self._warnings.setdefault(self._text(where, what, line), line)

    @property
    def lines(self) -> Mapping[Where, int]:
        """The line of every value."""
        return self._lines

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(sorted(self._warnings, key=self._warnings.__getitem__))

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(sorted(self._problems, key=self._problems.__getitem__))

    def raise_if_any(self) -> None:
        """Raise ConfigError with all problems so far, if there are any."""
        if self._problems:
            raise ConfigError(self.problems)

    def _line(self, where: Where) -> int:
        while where not in self._lines:
            where = where[:-1]
        return self._lines[where]

    def _text(self, where: Where, what: str, line: int) -> str:
        for value in sorted(self._hidden, key=len, reverse=True):
            what = what.replace(value, "***")
        return ": ".join(part for part in (f"{self.file}:{line}", spell(where), what) if part)


def spell(where: Where) -> str:
    """`connections.owl.api_key`, `syncs[0].name`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where).removeprefix(".")


def read(path: Path, report: Report) -> Any:
    """The file as plain values, its lines in `report`; raises ConfigError when it can't be read."""
    try:
        raw = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise ConfigError([f"{path}: can't be read ({error.strerror}); say which file: --config FILE"]) from error
    if raw is None:
        raise ConfigError([f"{path}: is larger than 1 MiB; this is no configuration of syncd"])
    try:
        text = raw.decode("utf-8")
        _refuse_tricks(text, report)
        node = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8; save it as UTF-8"]) from error
    except yaml.MarkedYAMLError as error:
        hint = " (what begins with *, @, % or & needs quotes)" if _NO_PLAIN_START.search(error.problem or "") else ""
        line = _line(error.problem_mark or error.context_mark)
        report.problem((), f"{error.problem}; mend the YAML here{hint}", line=line)
    except yaml.YAMLError:
        report.problem((), "holds characters that YAML does not allow; remove control characters")
    report.raise_if_any()
    root = _build(node, (), report) if node is not None else {}
    report.raise_if_any()
    return root


def _line(mark: Any) -> int:
    return mark.line + 1 if mark else 1


def _refuse_tricks(text: str, report: Report) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            report.problem((), "anchors (&) and aliases (*) are refused; write the value out", line=line)
        elif tag := getattr(event, "tag", None):
            report.problem((), f"has a YAML tag ({tag}); remove it", line=line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            report.problem((), f"is nested more than {MAX_DEPTH} deep; this is no configuration of syncd", line=line)
            break
    report.raise_if_any()


def _build(node: yaml.Node, where: Where, report: Report) -> Any:
    report.stands(where, _line(node.start_mark))
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, where, report)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*where, position), report) for position, item in enumerate(node.value)]
    try:
        value = _scalar(node)
    except ValueError as error:
        report.problem(where, str(error))
        return None
    if not isinstance(value, str):
        report.written[where] = (node.value, value)
    return value


def _scalar(node: yaml.Node) -> Any:
    """A scalar in quotes, or over several lines, is text whatever it looks like."""
    return node.value if getattr(node, "style", None) else core_schema.value(node.value)


def _build_mapping(node: yaml.MappingNode, where: Where, report: Report) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key, value in node.value:
        line = _line(key.start_mark)
        if not _is_text(key):
            shown = key.value if isinstance(key, yaml.ScalarNode) else "?"
            report.problem(where, f"the key {shown} is not text; put it in quotes", line=line)
        elif key.value in built:
            report.problem((*where, key.value), "stands here twice; keep one of them", line=line)
        else:
            built[key.value] = _build(value, (*where, key.value), report)
            report.stands((*where, key.value), line)
    return built


def _is_text(key: yaml.Node) -> bool:
    try:
        return isinstance(key, yaml.ScalarNode) and isinstance(_scalar(key), str)
    except ValueError:
        return False
