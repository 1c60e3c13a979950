"""What finds cost by the providers' lists, for commands that share a bill among contacts."""

from __future__ import annotations

from decimal import Decimal

from syncd.config import Settings
from syncd.contract.ports import ProviderCapabilities
from syncd.registry import Registry


def listed_prices(settings: Settings, registry: Registry) -> dict[str, dict[str, Decimal]]:
    """What a find costs by each provider's list, by connection and field."""
    kinds = {name: registry.kind(one.connector).capabilities for name, one in settings.connections.items()}
    return {
        name: {str(field): price for field, price in can.price.items()}
        for name, can in kinds.items()
        if isinstance(can, ProviderCapabilities)
    }
