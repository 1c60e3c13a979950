"""JSON by orjson: nothing is refused, and nothing reads otherwise, than with the standard library."""

import json
from enum import StrEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.contract import jsontext

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


class Colour(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: str


@given(ANY_JSON)
def test_what_is_written_reads_the_same_by_either(value: Any) -> None:
    for dump in (jsontext.dump, jsontext.dump_sorted):
        assert json.loads(dump(value)) == jsontext.parse(dump(value)) == value
    assert jsontext.parse(jsontext.dump_bytes(value)) == value


@given(ANY_JSON)
def test_what_the_standard_library_writes_is_read(value: Any) -> None:
    assert jsontext.parse(json.dumps(value)) == value
    assert jsontext.parse_strictly(json.dumps(value)) == value


def test_lone_surrogates_are_read_and_written_in_ascii() -> None:
    text = '{"name":"\\ud83d"}'
    assert jsontext.parse(text) == jsontext.parse_strictly(text) == {"name": "\ud83d"}
    assert jsontext.dump({"name": "\ud83d"}) == jsontext.dump_sorted({"name": "\ud83d"}) == text
    assert jsontext.dump_bytes({"name": "\ud83d"}) == text.encode()


def test_enumerations_and_tuples_with_names_are_texts_and_arrays() -> None:
    assert jsontext.dump([Pair(1, Colour.RED), {Colour.RED: (1,)}]) == '[[1,"red"],{"red":[1]}]'
    assert jsontext.dump_sorted({"b": 1, Colour.RED: Pair(2, "é"), "a": None}) == '{"a":null,"b":1,"red":[2,"é"]}'


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":-Infinity}'])
def test_numbers_that_are_none_are_refused_where_asked_for(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        jsontext.parse_strictly(text)


@pytest.mark.parametrize("text", ["", "{", "[1,]", "'a'", '{"a":1}}'])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsontext.parse(text)
    with pytest.raises(ValueError, match=r"."):
        jsontext.parse_strictly(text)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()])
def test_what_has_no_word_in_json_is_a_type_error(value: object) -> None:
    for dump in (jsontext.dump, jsontext.dump_bytes, jsontext.dump_sorted):
        with pytest.raises(TypeError):
            dump(value)
