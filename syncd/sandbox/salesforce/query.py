"""Running a query: names and values checked against the schema, rows filtered, sorted and worded, pages of cursors.

Text compares whatever its case, != and NOT IN also find null, as in Salesforce. Reading the text is in `soql`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from . import ids
from .replies import Refusal, attributes, no_column, no_relation, no_type, pointer, stamp
from .schema import TEXTS, Field, Kind, Schema
from .soql import Compare, Condition, Literal, Order, Path, Query, SemiJoin, like, parse, seconds
from .store import Row, Store, Values

Test = Callable[[Values], bool]
Getter = Callable[[Values], Any]
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
_LITERAL_OF = {"datetime": "datetime", "date": "date", "boolean": "boolean", "double": "number", "int": "number"}
_QUOTED = "value of filter criterion for field '{}' must be of type {} and should {}be enclosed in quotes"


@dataclass(frozen=True, slots=True)
class Column:
    """A selected field, resolved: its canonical path, and how to get and word its value."""

    names: tuple[str, ...]
    field: Field
    relations: tuple[Field, ...]  # the references that lead there


@dataclass(frozen=True, slots=True)
class Result:
    """What a query found: a snapshot that later changes do not touch. `rows` empty for COUNT()."""

    kind: Kind
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Row, Values]]
    total: int


class Queries:
    """Runs queries over one org, as the user sees it."""

    def __init__(self, schema: Schema, store: Store, sync_history: Callable[[], None]) -> None:
        """`sync_history` is called before history is read."""
        self.schema, self.store, self._sync_history = schema, store, sync_history

    def run(self, text: str, *, deleted: bool = False) -> Result:
        """`deleted`: with what is in the recycle bin. Raises Refusal."""
        query = parse(text)
        kind = self._kind(query)
        resolver = _Resolver(self.schema, self.store, query.text, kind)
        columns = resolver.columns(query.fields)
        test = resolver.condition(query.where) if query.where else _always
        sorting = [(resolver.path(one.path), one) for one in query.order]
        keys = [(column, resolver.getter(column), one) for column, one in sorting]
        found = (row for row in self._candidates(kind, query, resolver) if deleted or not row.deleted)
        matching = (row for row in found if test(row.values))
        rows = _cut(matching, query, keys)
        snapshot = [(row, row.values) for row in rows]
        return Result(kind, columns, snapshot if columns else (), len(snapshot))

    def word(self, result: Result, rows: Iterable[tuple[Row, Values]], version: str) -> list[dict[str, Any]]:
        """The records of an answer."""
        return [self._record(result, row, values, version) for row, values in rows]

    def lines(self, result: Result, rows: Iterable[tuple[Row, Values]]) -> Iterator[list[str]]:
        """The lines of a CSV; null is empty."""
        resolver = _Resolver(self.schema, self.store, "", result.kind)
        getters = [(one.field, resolver.getter(one)) for one in result.columns]
        for _, values in rows:
            found = (word(field, get(values)) for field, get in getters)
            yield ["" if one is None else str(one).lower() if isinstance(one, bool) else str(one) for one in found]

    def _kind(self, query: Query) -> Kind:
        name = ".".join(query.kind.names)
        kind = self.schema.kind(name)
        if kind is None:
            raise no_type(name, pointer(query.text, query.kind.at))
        if kind.name.endswith("History"):
            self._sync_history()
        return kind

    def _candidates(self, kind: Kind, query: Query, resolver: _Resolver) -> Iterable[Row]:
        """All rows, by id, or fewer if the condition names ids: what Salesforce has an index for."""
        table = self.store.tables[kind.name]
        parts = getattr(query.where, "parts", (query.where,))
        conjunction = getattr(query.where, "operator", "and") not in {"or", "not"}
        for one in parts if conjunction else ():
            if not isinstance(one, Compare) or [name.lower() for name in one.path.names] != ["id"]:
                continue
            wanted = [resolver.id_of(value) for value in one.values]
            if one.operator in {"=", "in"}:
                return [table.rows[row_id] for row_id in sorted({*wanted} - {None}) if row_id in table.rows]  # type: ignore[type-var]
            if one.operator in {">", ">="} and wanted[0]:
                return table.after(wanted[0], inclusive=one.operator == ">=")
        return table.after("")

    def _record(self, result: Result, row: Row, values: Values, version: str) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": attributes(row.kind, row.id, version)}
        for column in result.columns:
            here, there, kind = record, values, result.kind.name
            for name, relation in zip(column.names, column.relations, strict=False):
                parent = self.store.find(there.get(relation.name))
                if parent is None:
                    here[name] = None
                    break
                kind, there = parent.kind, parent.values
                if here.get(name) is None:
                    here[name] = {"attributes": attributes(kind, parent.id, version)}
                here = here[name]
            else:
                here[column.names[-1]] = word(column.field, there.get(column.field.name))
        return record


def word(one: Field, value: Any) -> Any:
    """A value as answers word it."""
    if one.type == "boolean":
        return bool(value)
    if value is None or one.type not in {"datetime", "date"}:
        return value
    return stamp(value) if one.type == "datetime" else stamp(value)[:10]


def _always(_: Values) -> bool:
    return True


def _cut(rows: Iterator[Row], query: Query, keys: Sequence[tuple[Column, Getter, Order]]) -> list[Row]:
    """Sorted as asked (rows come by id), then the part between OFFSET and LIMIT."""
    by_id = not keys or (keys[0][0].names == ("Id",) and not keys[0][2].descending)
    stop = None if query.limit is None else query.offset + query.limit
    if by_id:
        return list(itertools.islice(rows, query.offset, stop))
    found = list(rows)
    for column, get, order in reversed(keys):
        text = column.field.type in TEXTS
        nulls: list[tuple[Any, Row]] = []
        valued: list[tuple[Any, Row]] = []
        for row in found:
            value = get(row.values)
            (nulls if value is None else valued).append((value.lower() if text and value else value, row))
        valued.sort(key=itemgetter(0), reverse=order.descending)
        found = [row for _, row in (valued + nulls if order.nulls_last else nulls + valued)]
    return found[query.offset : stop]


class _Resolver:
    """Names and values of one query, checked; errors point into its text."""

    def __init__(self, schema: Schema, store: Store, text: str, kind: Kind) -> None:
        self.schema, self.store, self.text, self.kind = schema, store, text, kind

    def columns(self, paths: Iterable[Path]) -> tuple[Column, ...]:
        columns = tuple(self.path(one) for one in paths)
        names = [one.names for one in columns]
        if twice := next((one for one in names if names.count(one) > 1), None):
            raise Refusal("MALFORMED_QUERY", f"duplicate field selected: {'.'.join(twice)}")
        return columns

    def path(self, path: Path) -> Column:
        """The field at the end of a path."""
        kind, names = self.kind, path.names
        if len(names) > 1 and names[0].lower() == kind.name.lower():
            names = names[1:]
        relations: list[Field] = []
        for name in names[:-1]:
            step = next((one for one in self.schema.visible(kind) if one.relation.lower() == name.lower()), None)
            target = self.schema.kind(step.target) if step and step.relation else None
            if step is None or target is None:
                raise no_relation(name, pointer(self.text, path.at))
            relations.append(step)
            kind = target
        found = self.schema.field(kind, names[-1])
        if found is None:
            raise no_column(names[-1], kind.name, pointer(self.text, path.at))
        return Column((*(one.relation for one in relations), found.name), found, tuple(relations))

    def getter(self, column: Column) -> Getter:
        name, relations, find = column.field.name, column.relations, self.store.find
        if not relations:
            return lambda values: values.get(name)

        def follow(values: Values) -> Any:
            for relation in relations:
                parent = find(values.get(relation.name))
                if parent is None:
                    return None
                values = parent.values
            return values.get(name)

        return follow

    def condition(self, one: Condition) -> Test:
        if isinstance(one, Compare):
            return self._compare(one)
        if isinstance(one, SemiJoin):
            return self._semi_join(one)
        tests = [self.condition(part) for part in one.parts]
        if one.operator == "not":
            return lambda values: not tests[0](values)
        joined = all if one.operator == "and" else any
        return lambda values: joined(test(values) for test in tests)

    def _semi_join(self, one: SemiJoin) -> Test:
        name = ".".join(one.kind.names)
        kind = self.schema.kind(name)
        if kind is None:
            raise no_type(name, pointer(self.text, one.kind.at))
        if kind.name == self.kind.name:
            text = "The inner and outer selects should not be on the same object type"
            raise Refusal("MALFORMED_QUERY", pointer(self.text, one.kind.at) + text)
        inner = _Resolver(self.schema, self.store, self.text, kind)
        test = inner.condition(one.where) if one.where else _always
        column, left = inner.path(one.field), self.path(one.path)
        if not {column.field.type, left.field.type} <= {"id", "reference"}:
            text = "semi join sub-selects take ids and references only"
            raise Refusal("INVALID_FIELD", pointer(self.text, one.path.at) + text)
        get, own = inner.getter(column), self.getter(left)
        rows = (row for row in self.store.tables[kind.name].after("") if not row.deleted and test(row.values))
        found = frozenset(value for row in rows if (value := get(row.values)) is not None)
        return lambda values: (own(values) in found) != one.negative

    def _compare(self, one: Compare) -> Test:
        column = self.path(one.path)
        field, get = column.field, self.getter(column)
        at = pointer(self.text, one.path.at)
        if not field.filterable:
            raise Refusal("INVALID_FIELD", f"{at}field '{field.name}' can not be filtered in a query call")
        if one.operator == "like":
            return self._like(one, field, get, at)
        values = [self._value(field, literal) for literal in one.values]
        if one.operator in _ORDERED:
            if values[0] is None or field.type == "boolean":
                text = f"{at}invalid operator on {field.type} field"
                raise Refusal("INVALID_QUERY_FILTER_OPERATOR", text)
            test, bound = _ORDERED[one.operator], values[0]
            lower = field.type in TEXTS
            return lambda row: (value := get(row)) is not None and test(value.lower() if lower else value, bound)
        wanted, negative = frozenset(values), one.operator in {"!=", "not in"}
        if field.type == "boolean":
            return lambda row: (bool(get(row)) in wanted) != negative
        if field.type in TEXTS:
            return lambda row: (_lower(get(row)) in wanted) != negative
        return lambda row: (get(row) in wanted) != negative

    def _like(self, one: Compare, field: Field, get: Getter, at: str) -> Test:
        if field.type not in TEXTS:
            raise Refusal("INVALID_QUERY_FILTER_OPERATOR", f"{at}invalid operator on {field.type} field")
        self._value(field, one.values[0])
        pattern = like(one.values[0])
        return lambda row: (value := get(row)) is not None and pattern.fullmatch(value) is not None

    def _value(self, field: Field, literal: Literal) -> Any:
        """What a field is compared with; raises Refusal if the literal is of another type."""
        if literal.kind == "null" and field.type != "boolean":
            return None
        if field.type in {"id", "reference"}:
            return self.id_of(literal)
        wanted = _LITERAL_OF.get(field.type, "text")
        if literal.kind != wanted:
            shown = {"datetime": "dateTime", "text": "string", "number": "double"}.get(wanted, wanted)
            text = _QUOTED.format(field.name, shown, "" if wanted == "text" else "not ")
            raise Refusal("INVALID_FIELD", pointer(self.text, literal.at) + text)
        if wanted in {"datetime", "date"}:
            return seconds(literal)
        if wanted == "text":
            return literal.decoded().lower()
        return literal.text == "true" if wanted == "boolean" else float(literal.text)

    def id_of(self, literal: Literal) -> str | None:
        """The id that is meant; raises Refusal if it is none."""
        if literal.kind == "null":
            return None
        found = ids.parse(literal.decoded())
        if literal.kind != "text" or found is None:
            text = f"{pointer(self.text, literal.at)}invalid ID field: {literal.decoded()}"
            raise Refusal("INVALID_QUERY_FILTER_OPERATOR", text)
        return found


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
