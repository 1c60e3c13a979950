"""Copies of the ledger: made under load and restored, and an old one that takes the ledger's place."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from .drills import copy_under_load, old_copy
from .process import site


def test_a_copy_under_load_misses_nothing_and_goes_on(tmp_path: Path) -> None:
    """I1: by the commands, beside the daemon: what was acknowledged before the copy began is in it."""
    with site(tmp_path, 40) as here:
        asyncio.run(copy_under_load(here, random.Random(1), 1))


@pytest.mark.parametrize("seed", range(1, 5))
def test_f44_old_copies_from_any_moment(tmp_path: Path, seed: int) -> None:
    """I1, I2: whoever was answered, or still can be, is not bought twice; everybody has the value in the end."""
    old_copy(tmp_path, seed)
