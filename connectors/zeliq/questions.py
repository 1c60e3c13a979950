"""How Zeliq can be asked about somebody, the best way first.

Source: https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api ("Required fields")
"""

from __future__ import annotations

from syncd.contract.model import EnrichmentRequest, Field, Identity, Question

_LACKS = {
    Field.EMAIL: "an e-mail needs a LinkedIn profile, or first name, last name and company or domain",
    Field.PHONE: "a phone needs a LinkedIn profile or an e-mail address",
}


def ways(request: EnrichmentRequest) -> tuple[Question, ...]:
    """By profile, then by name and employer (e-mail) or by e-mail address (phone); empty where neither is known.

    A profile is told alone: what Zeliq does with names beside it is not documented.
    """
    known = request.identity
    second = _by_email(known) if field_of(request) is Field.PHONE else _by_name(known)
    found = []
    if known.linkedin_url:
        found.append(Question(way="profile", told=Identity(linkedin_url=known.linkedin_url)))
    return (*found, *second)


def lacking(request: EnrichmentRequest) -> str | None:
    """Why there is no way to ask, or None."""
    return None if ways(request) else _LACKS[field_of(request)]


def field_of(request: EnrichmentRequest) -> Field:
    """The one field of a call: Zeliq answers e-mail and phone separately."""
    return Field.PHONE if Field.PHONE in request.fields else Field.EMAIL


def _by_email(known: Identity) -> tuple[Question, ...]:
    return (Question(way="email", told=Identity(email=known.email)),) if known.email else ()


def _by_name(known: Identity) -> tuple[Question, ...]:
    if not (known.first_name and known.last_name and (known.company or known.domain)):
        return ()
    told = Identity(
        first_name=known.first_name,
        last_name=known.last_name,
        company=known.company or None,
        domain=known.domain or None,
    )
    return (Question(way="name", told=told),)
