"""The list of provider cases that the client must survive: each has at least one test that names it."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
CASES = 73


def test_every_case_has_a_test() -> None:
    text = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    # As a function, or as the id of a parameter.
    named = {int(number) for number in re.findall(r'(?:\bdef test_|\bid=")case_(\d\d)_', text)}
    assert named == set(range(1, CASES + 1))
