"""One form for names, hosts and profiles, so that the same person is recognised as the same.

The pipeline tidies every identity before a connector sees it: a connector may rely on it. What the forms are is
decided in `syncd.people`; here it has the names that connectors use.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from syncd.people import employers, fillers, profiles
from syncd.people.text import tidy as _tidy_text

from .model import Identity

# Only for the remark about a personal address in `pipeline.verify`; `employers` knows many more.
FREE_MAIL = frozenset({
    "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "yahoo.fr",
    "ymail.com", "icloud.com", "me.com", "aol.com", "gmx.com", "gmx.de", "gmx.net", "web.de", "proton.me",
    "protonmail.com", "mail.com", "orange.fr", "free.fr", "wanadoo.fr", "laposte.net", "t-online.de", "yandex.ru",
    "qq.com", "163.com",
})  # fmt: skip


def text(raw: str | None) -> str | None:
    """A name: NFC, without control characters and symbols such as emoji, with single spaces; None if blank."""
    return _tidy_text(raw)


def linkedin(raw: str | None) -> str | None:
    """The canonical profile address, `https://www.linkedin.com/in/<handle>`, or None. See `people.profiles.read`."""
    return profiles.read(raw)


def domain(raw: str | None) -> str | None:
    """The bare host of a web address, a mail address or a host name; None if the text is none, such as a company's
    name. Of anybody, not only of employers. See `people.employers.host`."""
    return employers.host(raw)


def employer_host(*raws: str | None) -> str | None:
    """The first of the texts that is a host of an employer, as a bare host: not a mailbox provider's, not a host that
    many share. See `people.employers.employer_host`."""
    return employers.employer_host(*raws)


def company(raw: str | None) -> str | None:
    """A company's name as it is told; None for placeholders such as "[not provided]" and "Self-employed"."""
    return _tidy_text(raw) if employers.company_key(raw) is not None else None


def tidy(identity: Identity) -> Identity:
    """Every part in its one form. What is no profile, no employer's host, a filler or a placeholder becomes None."""
    first_name, last_name = fillers.clean(text(identity.first_name), text(identity.last_name))
    return replace(
        identity,
        first_name=first_name,
        last_name=last_name,
        full_name=text(identity.full_name),
        company=company(identity.company),
        domain=employer_host(identity.domain),
        linkedin_url=linkedin(identity.linkedin_url),
        email=text(identity.email),
        country=text(identity.country),
        employer_country=text(identity.employer_country),
        emails=_each(identity.emails),
        phones=_each(identity.phones),
    )


def _each(raws: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(kept for raw in raws if (kept := text(raw)) is not None))


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
