"""Rules of the harness that no linter knows."""

import re
from pathlib import Path

SYNCD = Path(__file__).parents[2] / "syncd"
# `hubspot-eu` is the name of a connection in examples, not of a vendor.
VENDORS = re.compile(r"zeliq|fullenrich|hubspot(?!-eu)|salesforce", re.IGNORECASE)
KNOW_VENDORS = (
    "sandbox/", "demo.py", "cli/rehearse.py",  # the emulated vendors and what starts them
    "cli/init.py",  # the examples of its help
    "people/shared_hosts.py",  # their hosts stand among those that carry the sites of many companies
)  # fmt: skip


def test_syncd_names_no_vendor() -> None:
    named = [
        f"{path.relative_to(SYNCD)}:{number}: {line.strip()}"
        for path in sorted(SYNCD.rglob("*"))
        if path.suffix in {".py", ".sql", ".html", ".js", ".css"}
        if not path.relative_to(SYNCD).as_posix().startswith(KNOW_VENDORS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if VENDORS.search(line)
    ]
    assert named == []
