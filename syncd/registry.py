"""Finds connectors by name: files and folders in `connectors/`, and the entry points of others.

In here: from a name to a class, and from a connection to an instance. A connector is
imported when it is named, not before, and this is the only place where a module is imported by name.
Not in here: which names a configuration may use where (`config`), and what connectors do.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Iterable
from typing import Any, Protocol

from syncd.config import Connection, Kind, Port
from syncd.config.shape import suggest
from syncd.contract.errors import ConfigError
from syncd.contract.ports import Crm, CrmCapabilities, Options, Provider, ProviderCapabilities, Tools

ENTRY_POINTS = "syncd.connectors"

_CAPABILITIES = {Port.CRM: CrmCapabilities, Port.PROVIDER: ProviderCapabilities}


class ConnectorType(Protocol):
    """What a connector's module calls `Connector`: a class with these attributes."""

    port: str
    Options: type[Options]
    capabilities: CrmCapabilities | ProviderCapabilities

    def __call__(self, name: str, options: Any, base_url: str | None, tools: Tools) -> Any: ...


class Registry:
    """All connectors that are installed. Cheap to make; remembers what it has imported."""

    def __init__(
        self,
        package: str = "connectors",
        entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
    ) -> None:
        self._package = package
        found = importlib.metadata.entry_points(group=ENTRY_POINTS) if entry_points is None else entry_points
        self._foreign = {point.name: point.value for point in found}
        self._types: dict[str, ConnectorType] = {}

    def names(self) -> list[str]:
        """Every name that `connector:` may have, sorted. Imports none of them."""
        return sorted({*self._own(), *self._foreign})

    def kind(self, name: str) -> Kind:
        """What a connector says of itself; raises ConfigError when it is unknown or unusable."""
        made = self._type(name)
        return Kind(name=name, port=Port(made.port), options=made.Options, capabilities=made.capabilities)

    def make(self, connection: Connection, tools: Tools) -> Crm | Provider:
        """An instance for a connection: a Crm or a Provider, as `connection.port` says."""
        made: Crm | Provider = self._type(connection.connector)(
            connection.name, connection.options, connection.base_url, tools
        )
        return made

    def _own(self) -> list[str]:
        folder = importlib.import_module(self._package).__path__
        return [module.name for module in pkgutil.iter_modules(folder) if not module.name.startswith("_")]

    def _type(self, name: str) -> ConnectorType:
        if name not in self._types:
            self._types[name] = _checked(name, self._imported(name))
        return self._types[name]

    def _imported(self, name: str) -> Any:
        own = name in self._own()
        if own and name in self._foreign:
            raise ConfigError([f"two connectors are called {name!r}; uninstall the package with {self._foreign[name]}"])
        if not own and name not in self._foreign:
            raise ConfigError([f"no connector is called {name!r}; {suggest(name, self.names())}"])
        module = f"{self._package}.{name}" if own else self._foreign[name]
        try:
            return importlib.import_module(module)
        except (ImportError, SyntaxError) as error:
            raise ConfigError([f"the connector {name!r} can't be imported ({error}); reinstall it"]) from error


def _checked(name: str, module: Any) -> ConnectorType:
    """The class `Connector` of a module, once it is known to have what a connector must have."""
    made: Any = getattr(module, "Connector", None)
    port = getattr(made, "port", None)
    if port not in set(Port):
        raise _unfit(name, "its class Connector needs port = 'crm' or 'provider'")
    options = getattr(made, "Options", None)
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise _unfit(name, "Connector.Options must be a subclass of syncd.contract.ports.Options")
    expected = _CAPABILITIES[Port(port)]
    if not isinstance(getattr(made, "capabilities", None), expected):
        raise _unfit(name, f"Connector.capabilities must be a {expected.__name__}")
    checked: ConnectorType = made
    return checked


def _unfit(name: str, why: str) -> ConfigError:
    return ConfigError([f"the connector {name!r} does not keep the contract: {why}; see connectors/README.md"])
