"""What connections find out about themselves, and how it is shown: for check, setup, init."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from dataclasses import asdict
from typing import Any

from syncd import codes
from syncd.contract.errors import ConnectorError
from syncd.contract.model import Finding, Level

from .output import page, say, with_cure

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


async def asked(checking: Coroutine[Any, Any, list[Finding]]) -> list[Finding]:
    """The findings of a connection; an error of the connector becomes one of them."""
    try:
        return await checking
    except ConnectorError as error:
        cure, trouble = getattr(error, "cure", "Try again in a minute."), getattr(error, "trouble", None)
        return [Finding(level=Level.ERROR, what=str(error), cure=cure, trouble=trouble)]


def show(finding: Finding, *places: str) -> None:
    """A line, its level marked; `places` say where it was found."""
    text = ": ".join(filter(None, (*places, with_cure(finding.what, finding.cure, codes.of_finding(finding)))))
    say(f"{finding.level:<7}", f" {text}", style=COLOURS[finding.level])


def coded(finding: Finding) -> dict[str, Any]:
    """For scripts, with its code and where the docs tell of it."""
    code = codes.of_finding(finding)
    return {**asdict(finding), "code": code, "see": codes.see(code) if code else ""}


def explain_codes(found: Iterable[tuple[str, Finding]]) -> None:
    """Where the codes of these findings are explained, if there are any."""
    if any(codes.of_finding(one) for _, one in found):
        say(f"{'see':<7}", f" {page(codes.PAGE)}: what each [code] means")


def failed(findings: list[Finding]) -> bool:
    """Is something wrong?"""
    return any(one.level is Level.ERROR for one in findings)
