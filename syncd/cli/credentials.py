"""The secrets of the unit, for a command that somebody runs beside it.

systemd shows a unit's credentials to the unit alone, and to root while it runs. In here: finding them there,
and the line that runs a command with them where they can't be found.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

VARIABLE = "CREDENTIALS_DIRECTORY"
UNIT = "syncd.service"
SHOWN = Path("/run/credentials")  # where systemd keeps those of the units that run
STORE = "/etc/credstore/syncd."  # where the shipped unit loads each from
_NAMED = re.compile(r"\bcredential\s*:\s*[\"']?([A-Za-z0-9_][A-Za-z0-9_.-]*)")


def environment(environ: Mapping[str, str], shown: Path = SHOWN) -> Mapping[str, str]:
    """The environment, with the credentials of the running unit if this process may read them."""
    folder = shown / UNIT
    if environ.get(VARIABLE) or not os.access(folder, os.R_OK | os.X_OK):
        return environ
    return {**environ, VARIABLE: str(folder)}


def named_in(configuration: Path) -> list[str]:
    """The names of all credentials that a configuration refers to."""
    try:
        text = configuration.read_text("utf-8", errors="replace")
    except OSError:
        return []
    return list(dict.fromkeys(_NAMED.findall(text)))


def line_with(names: Sequence[str], command: Sequence[str]) -> str:
    """A line for root's shell that runs a command with these credentials, as the shipped unit loads them."""
    loaded = [f"-pLoadCredential={name}:{STORE}{name}" for name in names]
    return shlex.join(["systemd-run", "--pipe", "--wait", "--same-dir", "--quiet", *loaded, *command])
