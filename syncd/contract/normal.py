"""One form for names, hosts and profiles, so that the same person is recognised as the same.

The pipeline tidies every identity before a connector sees it: a connector may rely on it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

import idna

from .model import Identity

_TYPOS = {0xB4: "'", 0x60: "'", 0xFE0E: None, 0xFE0F: None, 0x20E3: None}  # accents as apostrophes, emoji's tails
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk"})  # control characters, symbols
_SPACES = re.compile(r"\s+")
_PROFILE = re.compile(r"^/(?:mwlite/)?in/([^/]+)/?(?:[a-z]{2}(?:_[A-Za-z]{2})?/?)?$", re.IGNORECASE)
_HOST = re.compile(r"^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{2,59})$")

FREE_MAIL = frozenset({
    "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "yahoo.fr",
    "ymail.com", "icloud.com", "me.com", "aol.com", "gmx.com", "gmx.de", "gmx.net", "web.de", "proton.me",
    "protonmail.com", "mail.com", "orange.fr", "free.fr", "wanadoo.fr", "laposte.net", "t-online.de", "yandex.ru",
    "qq.com", "163.com",
})  # fmt: skip


def text(raw: str | None) -> str | None:
    """NFC, without control characters and symbols such as emoji, with single spaces; None if blank."""
    if raw is None:
        return None
    kept = "".join(
        " " if c.isspace() else c
        for c in unicodedata.normalize("NFC", raw.translate(_TYPOS))
        if c.isspace() or unicodedata.category(c) not in _DROPPED
    )
    return _SPACES.sub(" ", kept).strip() or None


def linkedin(raw: str | None) -> str | None:
    """The canonical profile address, `https://www.linkedin.com/in/<handle>`, or None.

    Company pages, Sales Navigator leads and other sites are not profiles. Handles keep their
    percent-encoding; ids such as `/in/ACwAA…` keep their case.
    """
    tidy = text(raw)
    if tidy is None or " " in tidy:
        return None
    try:
        parts = urlsplit(tidy if "//" in tidy else f"https://{tidy}")
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    found = _PROFILE.match(parts.path)
    if not (host == "linkedin.com" or host.endswith(".linkedin.com")) or found is None:
        return None
    handle = unquote(found[1])
    if not handle.startswith("ACwAA"):
        handle = handle.lower()
    return f"https://www.linkedin.com/in/{quote(handle, safe='-_.~')}"


def domain(raw: str | None) -> str | None:
    """The bare host of a web address, an e-mail address or a host name; None if it is none."""
    tidy = text(raw)
    if tidy is None:
        return None
    tidy = tidy.replace(" ", "")
    try:
        host = urlsplit(tidy if "//" in tidy else f"//{tidy.rsplit('@', 1)[-1]}").hostname or ""
        host = idna.encode(host.rstrip(".").lower(), uts46=True).decode("ascii").removeprefix("www.")
    except (ValueError, UnicodeError):
        return None
    return host if _HOST.match(host) else None


def tidy(identity: Identity) -> Identity:
    """Every part in its one form; what is no profile or no host becomes None."""
    return replace(
        identity,
        first_name=text(identity.first_name),
        last_name=text(identity.last_name),
        company=text(identity.company),
        domain=domain(identity.domain),
        linkedin_url=linkedin(identity.linkedin_url),
        email=text(identity.email),
        country=text(identity.country),
    )


def profile_key(identity: Identity) -> str | None:
    """A digest of the profile's address; None without one. Expects a tidy identity."""
    return _digest(identity.linkedin_url) if identity.linkedin_url else None


def name_key(identity: Identity) -> str | None:
    """A digest of the full name at the company's domain (or name); None when one of them is not
    known. Expects a tidy identity."""
    employer = identity.domain or identity.company
    if not (identity.first_name and identity.last_name and employer):
        return None
    return _digest(f"{identity.first_name}|{identity.last_name}|{employer}".casefold())


def person_key(identity: Identity) -> str | None:
    """A digest that is equal for the same person wherever they are kept: by profile, or else by name
    and company; None when too little is known. Expects a tidy identity."""
    return profile_key(identity) or name_key(identity)


def _digest(basis: str) -> str:
    return hashlib.sha256(basis.encode("utf-8")).hexdigest()[:32]
