"""In which ways a provider can be asked for one field of somebody. Pure, shared by those who ask and who decide."""

from __future__ import annotations

from collections.abc import Container, Sequence

from syncd.contract.model import ContactRef, EnrichmentRequest, Field, Identity, Question
from syncd.contract.ports import Provider

_NOBODY = ContactRef(connection="-", object="-", id="-")


def request_for(field: Field, identity: Identity, ref: ContactRef = _NOBODY) -> EnrichmentRequest:
    """A request that tells all that is known: what `Provider.lacks` and `Provider.questions` want to see."""
    return EnrichmentRequest(id="", ref=ref, identity=identity, fields=(field,))


def ways(provider: Provider, request: EnrichmentRequest) -> Sequence[Question]:
    """The ways in which it may be asked, the best first. A second way is only used where nothing is paid for a miss."""
    questions = provider.questions(request)
    return questions if provider.capabilities.bills_finds_only else questions[:1]


def unasked(provider: Provider, request: EnrichmentRequest, asked: Container[str]) -> Sequence[Question]:
    """The ways that are left, the best first."""
    return [question for question in ways(provider, request) if question.way not in asked]
