"""A provider that finds e-mails alone."""

from dataclasses import replace
from typing import ClassVar

from syncd.contract import ports
from syncd.contract.model import Field
from syncd.contract.ports import ProviderCapabilities

from .owl import Connector as Owl


class PigeonOptions(ports.Options):
    """A pigeon has none."""


class Connector(Owl):
    """An owl with less to offer."""

    Options = PigeonOptions  # type: ignore[assignment]
    capabilities: ClassVar[ProviderCapabilities] = replace(Owl.capabilities, fields=frozenset({Field.EMAIL}))
