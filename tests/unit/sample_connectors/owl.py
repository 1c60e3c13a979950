"""A provider that finds both fields."""

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import SecretStr, field_validator

from syncd.contract import ports
from syncd.contract.model import Field
from syncd.contract.ports import ProviderCapabilities, Tools


class OwlOptions(ports.Options):
    """The settings of an owl. `sting` is a secret by its type alone, not by its name."""

    api_key: SecretStr
    plan: Literal["day", "night"] = "night"
    sting: SecretStr | None = None

    @field_validator("api_key")
    @classmethod
    def _no_hoot(cls, key: SecretStr) -> SecretStr:
        if "hoot" in key.get_secret_value():
            raise ValueError(f"{key.get_secret_value()} is no key; copy it again")  # a careless connector
        return key


class Connector:
    """Does nothing but say what it is."""

    port = "provider"
    Options = OwlOptions
    capabilities: ClassVar[ProviderCapabilities] = ProviderCapabilities(
        title="Owl",
        fields=frozenset({Field.EMAIL, Field.PHONE}),
        batch=1,
        combines=False,
        price={Field.EMAIL: Decimal(1), Field.PHONE: Decimal(10)},
        windows=(),
        inputs="a profile",
    )

    def __init__(self, name: str, options: OwlOptions, base_url: str | None, tools: Tools) -> None:
        self.name = name
