"""Houses for the tests of the pipeline, closed and audited whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .house import EMAIL, House

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Makes a house as a test wants it."""
    with ExitStack() as stack:
        yield lambda **wishes: stack.enter_context(House(tmp_path, **wishes))


@pytest.fixture
def house(build: Build) -> House:
    """One provider, one call per person and field."""
    return build()


@pytest.fixture
def written(build: Build) -> House:
    """Contact 501 was written, 502 was not found."""
    house = build(fields={EMAIL: ["ann"]})
    house.finds(house.person("Ada"), EMAIL, "ada@acme.example.com")
    house.person("Bo")
    house.ask()
    house.answer_all()
    house.finish()
    assert (house.job("501"), house.job("502")) == (("done", "written"), ("done", "not_found"))
    return house
