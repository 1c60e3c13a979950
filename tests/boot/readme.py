"""The commands of deploy/README.md, in order, by section, and its configuration."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "deploy" / "README.md"
NOT_RUN = {  # commands of the page that can't be run in a container without a network, and why; `make boot` prints them
    "apt install -y certbot": "the package is not in the bare Debian, and no mirror is within reach",
    "certbot certonly": "the certificate authority is not within reach: one of this machine's own stands in its place",
}
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def sections() -> dict[str, list[str]]:
    """Heading → commands, as root types them."""
    found: dict[str, list[str]] = {}
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        heading = part.partition("\n")[0].lstrip("0123456789. ")
        blocks = "".join(_BLOCK.findall(part))
        found[heading] = [line[2:] for line in blocks.splitlines() if line.startswith("# ")]
    return {heading: commands for heading, commands in found.items() if commands}


def why_not_run(command: str) -> str:
    """Why `make boot` leaves a command out, or ""."""
    return next((why for start, why in NOT_RUN.items() if command.startswith(start)), "")


def configuration() -> str:
    """The configuration that the page shows."""
    blocks: list[str] = re.findall(r"(?ms)^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"))
    return blocks[0]
