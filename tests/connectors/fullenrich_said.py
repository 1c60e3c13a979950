"""FullEnrich as a test wants it: the connector, and results in its wire format."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from connectors.fullenrich import Connector, Options
from syncd.contract.testing.surroundings import DictMemory, tools

KEY = "fe-very-secret"
JOB = "2db5ea61-1752-42cf-8ea1-ab1da060cd0a"
Made = dict[str, Any]


def make(url: str | None = None, memory: DictMemory | None = None, **options: Any) -> Connector:
    return Connector("fullenrich", Options(api_key=SecretStr(KEY), **options), url, tools(memory))


def item(attempt: str | None = "attempt-1", info: object = None, **echo: str) -> Made:
    """One contact of a v2 result; `info` None: the key is not there."""
    made: Made = {"input": echo}
    if attempt is not None:
        made["custom"] = {"attempt_id": attempt, "batch_id": "batch-1", "contact_id": "501"}
    if info is not None:
        made["contact_info"] = info
    return made


def work(*pairs: tuple[str, str]) -> Made:
    """A `contact_info` with e-mails, the first also as the most probable one."""
    listed = [{"email": email, "status": status} for email, status in pairs]
    return {"most_probable_work_email": listed[0] if listed else None, "work_emails": listed, "phones": []}


def numbers(*phones: Made) -> Made:
    return {"most_probable_phone": phones[0] if phones else None, "phones": list(phones)}


def envelope(*items: object, status: object = "FINISHED", credits_used: object = 1) -> Made:
    return {"id": JOB, "name": "x", "status": status, "cost": {"credits": credits_used}, "data": list(items)}


FOUND = work(("ada@acme.example.com", "DELIVERABLE"))
BLANK: Made = {"most_probable_phone": None}
