"""SOQL read: from text to a tree, by recursive descent, refusing what Salesforce's grammar refuses.

SELECT fields or COUNT() FROM one object WHERE … ORDER BY … LIMIT … OFFSET …. AND, OR and NOT may not be mixed
without parentheses; semi-joins stand outside of all parentheses, beside AND. No aggregates, aliases or date literals.
Whether names exist is `query`'s to say.
Source: SOQL and SOSL Reference, "Condition Expression Syntax"; messages from recorded answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from .replies import Refusal, pointer

LONGEST, LONGEST_TEXT, FURTHEST_OFFSET = 100_000, 4_000, 2_000
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^'\\]|\\.)*')
  | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
  | (?P<date>\d{4}-\d\d-\d\d)
  | (?P<number>[+-]?\d+(?:\.\d+)?)
  | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
  | (?P<mark><=|>=|!=|<>|[=<>(),])
  | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\", "_": "_", "%": "%"}
_RESERVED = frozenset(
    ("select", "from", "where", "and", "or", "not", "in", "like", "order", "by", "limit", "offset", "nulls")
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the query and where it starts. `kind`: a group of the pattern."""

    kind: str
    text: str
    at: int

    def says(self, *words: str) -> bool:
        """Whether it is one of these keywords or marks."""
        return self.kind in {"name", "mark"} and self.text.lower() in words


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps through relationships."""

    names: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written. `kind`: text, datetime, date, number, boolean, null."""

    kind: str
    text: str
    at: int

    def decoded(self) -> str:
        """What a quoted string means; its own text for all else."""
        return _decode(self.text[1:-1], self.at) if self.kind == "text" else self.text


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator` in lower case: = != < > <= >= like, in, not in. Only the last two have several values."""

    path: Path
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class SemiJoin:
    """`path IN (SELECT field FROM object WHERE …)`, or NOT IN."""

    path: Path
    negative: bool
    field: Path
    kind: Path
    where: Condition | None


@dataclass(frozen=True, slots=True)
class Junction:
    """`operator`: and, or, not."""

    operator: str
    parts: tuple[Condition, ...]


Condition = Compare | SemiJoin | Junction


@dataclass(frozen=True, slots=True)
class Order:
    """One key to sort by."""

    path: Path
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """The whole of it. `fields` empty: COUNT()."""

    text: str
    fields: tuple[Path, ...]
    kind: Path  # the object, one name
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int


def parse(text: str) -> Query:
    """The tree of a query; raises Refusal (MALFORMED_QUERY, QUERY_TOO_COMPLICATED, NUMBER_OUTSIDE_VALID_RANGE)."""
    if len(text) > LONGEST:
        raise Refusal("QUERY_TOO_COMPLICATED", f"SOQL statements can't be longer than {LONGEST} characters.")
    return _Parser(text, _tokens(text)).query()


def seconds(literal: Literal) -> float:
    """When that is, Unix seconds."""
    if literal.kind == "date":
        return datetime.fromisoformat(literal.text).replace(tzinfo=UTC).timestamp()
    try:
        return datetime.fromisoformat(literal.text).timestamp()
    except ValueError:
        raise Refusal("MALFORMED_QUERY", f"line 1:{literal.at} invalid dateTime: {literal.text}") from None


def like(literal: Literal) -> re.Pattern[str]:
    """The pattern of a LIKE: % is any text, _ any character, unless escaped."""
    parts = re.findall(r"\\.|[^\\]", literal.text[1:-1], re.DOTALL)
    wild = {"%": ".*", "_": "."}
    written = "".join(wild.get(one) or re.escape(_decode(one, literal.at)) for one in parts)
    return re.compile(written, re.IGNORECASE | re.DOTALL)


def _decode(raw: str, at: int) -> str:
    def one(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            text = f"Invalid string literal '{raw}'. Illegal character sequence '{found[0]}' in string literal."
            raise Refusal("MALFORMED_QUERY", f"line 1:{at} {text}")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", one, raw, flags=re.DOTALL)


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            bad = re.compile(r"\s*").match(text, at)
            where = bad.end() if bad else at
            raise Refusal("MALFORMED_QUERY", f"line 1:{where} no viable alternative at character '{text[where]}'")
        start = found.start(found.lastgroup)
        tokens.append(Token(found.lastgroup, found[found.lastgroup], start))
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.next = text, tokens, 0
        self._depth, self._joins = 0, 0

    # --- the grammar ---

    def query(self) -> Query:
        self._expect("select")
        fields = self._fields()
        self._expect("from")
        kind = self._path()
        where = self._condition() if self._took("where") else None
        order = self._order() if self._took("order") else ()
        limit = self._number() if self._took("limit") else None
        offset = self._number() if self._took("offset") else 0
        if self._peek().kind != "end":
            raise self._unexpected()
        if offset > FURTHEST_OFFSET:
            raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {FURTHEST_OFFSET}")
        return Query(self.text, fields, kind, where, order, limit, offset)

    def _fields(self) -> tuple[Path, ...]:
        if self._peek().says("count") and self.tokens[self.next + 1].says("("):
            self.next += 2
            self._expect(")")
            return ()
        fields = [self._path()]
        while self._took(","):
            fields.append(self._path())
        return tuple(fields)

    def _condition(self) -> Condition:
        """`a AND b AND c`, or `a OR b OR c`, or `NOT a`, or `a`: they do not mix."""
        if self._took("not"):
            return Junction("not", (self._simple(),))
        parts = [self._simple()]
        operator = next((one for one in ("and", "or") if self._peek().says(one)), None)
        while operator is not None and self._took(operator):
            parts.append(self._simple())
        if self._peek().says("and", "or"):
            raise self._unexpected()
        if operator == "or" and any(isinstance(one, SemiJoin) for one in parts):
            raise Refusal("MALFORMED_QUERY", "Semi join sub-selects are not allowed with the 'OR' operator")
        return Junction(operator, tuple(parts)) if operator else parts[0]

    def _simple(self) -> Condition:
        if self._took("("):
            self._depth += 1
            inner = self._condition()
            self._depth -= 1
            self._expect(")")
            return inner
        path, token = self._path(), self._take()
        if token.says("in") or (token.says("not") and self._peek().says("in")):
            if token.says("not"):
                self.next += 1
            if self.tokens[self.next + 1].says("select"):
                return self._semi_join(path, negative=token.says("not"))
            return Compare(path, "not in" if token.says("not") else "in", self._list())
        if not token.says("=", "!=", "<>", "<", ">", "<=", ">=", "like"):
            raise self._unexpected(token)
        operator = {"<>": "!="}.get(token.text, token.text.lower())
        return Compare(path, operator, (self._literal(),))

    def _semi_join(self, path: Path, *, negative: bool) -> SemiJoin:
        self._joins += 1
        if self._depth:
            where = "only allowed at the top level WHERE expressions and not in nested WHERE expressions."
            raise Refusal("MALFORMED_QUERY", f"Semi join sub-selects are {where}")
        if self._joins > 2:
            raise Refusal("MALFORMED_QUERY", "Maximum 2 semi join sub-selects are allowed in a query")
        self._expect("(")
        self._expect("select")
        field = self._path()
        self._expect("from")
        kind = self._path()
        self._depth += 1
        condition = self._condition() if self._took("where") else None
        self._depth -= 1
        self._expect(")")
        return SemiJoin(path, negative, field, kind, condition)

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        values = [self._literal()]
        while self._took(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind in {"text", "datetime", "date", "number"}:
            if len(token.text) > LONGEST_TEXT:
                raise Refusal("MALFORMED_QUERY", "Maximum length of criteria for a string is 4000 characters")
            return Literal(token.kind, token.text, token.at)
        if token.says("true", "false"):
            return Literal("boolean", token.text.lower(), token.at)
        if token.says("null"):
            return Literal("null", "null", token.at)
        raise self._unexpected(token)

    def _order(self) -> tuple[Order, ...]:
        self._expect("by")
        keys = [self._order_key()]
        while self._took(","):
            keys.append(self._order_key())
        return tuple(keys)

    def _order_key(self) -> Order:
        path = self._path()
        descending = not self._took("asc") and self._took("desc")
        if not self._took("nulls"):
            return Order(path, descending)
        last = self._took("last")
        if not last:
            self._expect("first")
        return Order(path, descending, last)

    def _number(self) -> int:
        token = self._take()
        if token.kind != "number" or not token.text.isdigit():
            raise self._unexpected(token)
        return int(token.text)

    def _path(self) -> Path:
        token = self._take()
        if token.kind != "name" or token.text.lower() in _RESERVED:
            raise self._unexpected(token)
        return Path(tuple(token.text.split(".")), token.at)

    # --- tokens ---

    def _peek(self) -> Token:
        return self.tokens[self.next]

    def _take(self) -> Token:
        token = self.tokens[self.next]
        self.next = min(self.next + 1, len(self.tokens) - 1)
        return token

    def _took(self, word: str) -> bool:
        found = self._peek().says(word)
        self.next += found
        return found

    def _expect(self, word: str) -> None:
        token = self._take()
        if not token.says(word):
            raise self._unexpected(token)

    def _unexpected(self, token: Token | None = None) -> Refusal:
        token = token or self._peek()
        shown = token.text or "<EOF>"
        if token.at == 0:
            return Refusal("MALFORMED_QUERY", f"unexpected token: {shown}")
        return Refusal("MALFORMED_QUERY", f"{pointer(self.text, token.at)}unexpected token: '{shown}'")
