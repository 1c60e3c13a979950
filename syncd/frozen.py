"""Dataclasses that nobody changes, held by the type checker alone.

Python's own guard makes each object four times as dear to build, and the work of a contact builds fifty of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """As `dataclass(frozen=True, slots=True)`: mypy refuses whoever sets an attribute, and equal ones are one key."""
    return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)
