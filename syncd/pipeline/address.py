"""Callback addresses: minted for one submission, checked before a byte of the body is read.

The CRM's ids travel in the query string, as the providers advise, and are never trusted: the ledger's
row of the submission decides. A MAC over everything makes a guess worthless, lets a forgery be
refused without touching the ledger, and survives the loss of it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from syncd.contract.model import ContactRef, Field

_SIGNED = ("a", "crm", "object", "contactId", "field", "e")
CANARY = "canary"
_PLAIN = re.compile("[A-Za-z0-9_.-]*")  # as most are: nothing is to be quoted


@dataclass(frozen=True, slots=True)
class Address:
    """What a genuine callback address says: the submission, when the address ends (UTC seconds), and
    whom and what it is about, where that is one contact and one field."""

    submission_id: str
    expires: int
    ref: ContactRef | None = None
    field: Field | None = None
    part: str = ""


class Addresses:
    """Mints and checks addresses below one public URL. The first secret signs, all of them verify. Without a URL there
    are no callbacks: what is minted is "", and nothing is genuine."""

    def __init__(self, public_url: str, secrets: Sequence[str]) -> None:
        self._base = public_url.rstrip("/")
        self._keys = {key_id(secret): hmac.new(secret.encode("utf-8"), digestmod="sha256") for secret in secrets}
        self._current = next(iter(self._keys), "")

    def mint(
        self,
        provider: str,
        submission_id: str,
        *,
        expires: float,
        ref: ContactRef | None = None,
        field: Field | None = None,
        part: str = "",
    ) -> str:
        """The URL that a provider calls back; `ref` and `field` where the submission is about one, `part` where
        only a part of the answer goes there."""
        if not self._base:
            return ""
        query = {"a": submission_id}
        if ref is not None:
            query |= {"crm": ref.connection, "object": ref.object, "contactId": ref.id}
        if field is not None:
            query["field"] = field
        if part:
            query["p"] = part
        query |= {"e": str(int(expires)), "k": self._current}
        query["m"] = _mac(self._keys[self._current], provider, query)
        parts = (f"{name}={text if _PLAIN.fullmatch(text) else quote_plus(text)}" for name, text in query.items())
        return f"{self._base}/callbacks/{provider}?{'&'.join(parts)}"

    def check(self, provider: str, query: Sequence[tuple[str, str]], *, now: float) -> Address | None:
        """The address behind a query string, or None for one that is forged, mangled or over."""
        given = dict(query)
        key = self._keys.get(given.get("k", ""))
        if len(given) != len(query) or key is None:
            return None
        genuine = hmac.compare_digest(
            _mac(key, provider, given).encode(), given.get("m", "").encode("utf-8", "replace")
        )
        if not genuine or int(given["e"]) < now:
            return None
        field = given.get("field")  # absent and blank have the same MAC
        return Address(given["a"], int(given["e"]), _ref(given), Field(field) if field else None, given.get("p", ""))


def _ref(given: dict[str, str]) -> ContactRef | None:
    connection, object_, contact = (given.get(name) for name in ("crm", "object", "contactId"))
    return ContactRef(connection=connection, object=object_, id=contact) if connection and object_ and contact else None


def key_id(secret: str) -> str:
    """A short public name for a secret, so that it can be rotated."""
    return hashlib.sha256(b"syncd key id|" + secret.encode("utf-8")).hexdigest()[:8]


def _mac(key: hmac.HMAC, provider: str, query: dict[str, str]) -> str:
    part = (query["p"],) if query.get("p") else ()  # an address without one is signed as it always was
    text = "\x1f".join(("v1", provider, *(query.get(name, "") for name in _SIGNED), *part))
    signing = key.copy()  # `hmac.digest` begins with the key each time, and lets other threads run meanwhile
    signing.update(text.encode("utf-8", "surrogatepass"))
    return signing.hexdigest()[:32]
