"""What holds for all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import places

settings.register_profile("syncd", deadline=None)  # how long an example takes depends on what else the machine does
settings.load_profile("syncd")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--ledger=postgres`: what can run on both databases runs on a PostgreSQL of the tests' own (`make many`)."""
    parser.addoption("--ledger", choices=places.ENGINES, default=places.ENGINES[0])


def pytest_configure(config: pytest.Config) -> None:
    """Chosen before any test is collected."""
    config.addinivalue_line("markers", "sqlite: about SQLite's file, or its words; not for PostgreSQL")
    places.choose(config.getoption("--ledger"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Those about the file itself have nothing to look at."""
    if places.on_postgres() and item.get_closest_marker("sqlite"):
        pytest.skip("about SQLite's file")


@pytest.fixture(autouse=True)
def databases_of_a_test() -> Iterator[None]:
    """Each test begins without any."""
    yield
    places.forget_all()
