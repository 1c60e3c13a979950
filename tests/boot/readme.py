"""The commands of deploy/README.md, in order, by section."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "deploy" / "README.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def sections() -> dict[str, list[str]]:
    """Heading → commands, as root types them."""
    found: dict[str, list[str]] = {}
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        heading = part.partition("\n")[0].lstrip("0123456789. ")
        blocks = "".join(_BLOCK.findall(part))
        found[heading] = [line[2:] for line in blocks.splitlines() if line.startswith("# ")]
    return {heading: commands for heading, commands in found.items() if commands}
