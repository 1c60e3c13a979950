"""One form for names, hosts and profiles, so that the same person is recognised as the same.

The pipeline tidies every identity before a connector sees it: a connector may rely on it. What the forms are is
decided in `syncd.people`; here it has the names that connectors use.
"""

from __future__ import annotations

from functools import lru_cache

from syncd.people import employers, evidence, fillers, profiles
from syncd.people.text import tidy as _tidy_text

from .model import Identity


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


@lru_cache(maxsize=1024)
def tidy(identity: Identity) -> Identity:
    """Every part in its one form. What is no profile, no employer's host, a filler or a placeholder becomes None."""
    first_name, last_name = fillers.clean(text(identity.first_name), text(identity.last_name))
    return Identity(  # `dataclasses.replace` takes three times as long
        first_name=first_name,
        last_name=last_name,
        full_name=text(identity.full_name),
        company=company(identity.company),
        domain=employer_host(identity.domain),
        linkedin_url=linkedin(identity.linkedin_url),
        email=text(identity.email),
        country=text(identity.country),
        employer_country=text(identity.employer_country),
        emails=_each(identity.emails) if identity.emails else (),
        phones=_each(identity.phones) if identity.phones else (),
        shared=identity.shared,
        others=identity.others,
    )


def _each(raws: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(kept for raw in raws if (kept := text(raw)) is not None))


def keys(identity: Identity) -> frozenset[str]:
    """What a person can be recognised by: profile, mailboxes, the name at the employer's domain and at the company.

    Two identities that share one may be one person; see `people.evidence`. Expects a tidy identity.
    """
    return frozenset(f"{kind.name}|{key}" for kind, key in evidence.keys(identity))
