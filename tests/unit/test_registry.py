"""The registry, with a package of made-up connectors."""

import random
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from syncd.config import Connection, InDoubtPolicy, Port
from syncd.contract.errors import ConfigError
from syncd.contract.ports import CrmCapabilities, ProviderCapabilities, Tools
from syncd.registry import ENTRY_POINTS, Registry

SAMPLES = "tests.unit.sample_connectors"


def registry(**foreign: str) -> Registry:
    points = [EntryPoint(name, value, ENTRY_POINTS) for name, value in foreign.items()]
    return Registry(SAMPLES, points)


class Nothing:
    """A clock and a memory that nobody asks."""

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    def recall(self, key: str) -> Any:
        raise NotImplementedError

    async def keep(self, key: str, value: Any) -> None:
        raise NotImplementedError


def test_names_come_from_files_and_entry_points() -> None:
    assert registry(heron="somewhere.heron").names() == ["cards", "half", "heron", "lost", "owl", "pigeon"]


def test_nothing_is_imported_before_it_is_named() -> None:
    found = registry()
    assert "lost" in found.names()
    assert f"{SAMPLES}.lost" not in sys.modules
    assert "a_library_that_nobody_has" not in sys.modules


def test_a_kind_says_its_port_options_and_capabilities() -> None:
    crm, provider = registry().kind("cards"), registry().kind("owl")
    assert (crm.name, crm.port) == ("cards", Port.CRM)
    assert isinstance(crm.capabilities, CrmCapabilities)
    assert crm.options.__name__ == "CardOptions"
    assert provider.port is Port.PROVIDER
    assert isinstance(provider.capabilities, ProviderCapabilities)


def test_a_connector_of_others_is_found_by_its_entry_point() -> None:
    assert registry(heron=f"{SAMPLES}.owl").kind("heron").name == "heron"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("crads", "no connector is called 'crads'; did you mean 'cards'?"),
        ("zzz", "no connector is called 'zzz'; there is: cards, half, lost, owl, pigeon"),
        ("cards.owl", "no connector is called 'cards.owl'"),
        ("lost", "the connector 'lost' can't be imported (No module named 'a_library_that_nobody_has')"),
        ("half", "does not keep the contract: its class Connector needs port"),
    ],
)
def test_what_can_t_be_used_is_a_config_error(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        registry().kind(name)
    assert said in str(caught.value)


def test_nobody_can_take_the_name_of_one_of_ours() -> None:
    with pytest.raises(ConfigError, match="two connectors are called 'owl'"):
        registry(owl="somewhere.owl").kind("owl")


def test_make_joins_a_connection_and_its_tools() -> None:
    found = registry()
    options = found.kind("cards").options.model_validate({"access_token": "x"})
    connection = Connection(
        name="box",
        connector="cards",
        port=Port.CRM,
        base_url="http://127.0.0.1:9",
        in_doubt_policy=InDoubtPolicy.ASK,
        in_doubt_hold=1.0,
        options=options,
    )
    tools = Tools(clock=Nothing(), rng=random.Random(1), memory=Nothing())
    made: Any = found.make(connection, tools)
    assert (made.name, made.options, made.base_url, made.tools) == ("box", options, "http://127.0.0.1:9", tools)
