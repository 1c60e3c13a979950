"""Is this answer about that contact? Compared with all that is known of the contact, not with what a call carried."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from syncd.frozen import frozen

from . import employers, evidence, names
from .evidence import STRONG, Evidence
from .identity import BLANK, Identity
from .names import Agreement


class Verdict(StrEnum):
    """Whose answer it is."""

    SAME = "same"
    DOUBTFUL = "doubtful"  # a person should look
    OTHER = "other"


_ORDER = (Verdict.SAME, Verdict.DOUBTFUL, Verdict.OTHER)


@frozen()
class About:
    """The verdict, with what speaks for it and what against it, in plain words."""

    verdict: Verdict
    agrees: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Does strong evidence (a profile, a mailbox) prove it, not a name alone?"""
        return self.verdict is Verdict.SAME and any(f"the {kind.name}" in self.agrees for kind in STRONG)


EMPLOYER = "the employer"
SILENT = "the answer names nobody"


def about(
    contact: Identity, said: Sequence[Identity], *, echoes: bool = True, table: Sequence[Evidence] = STRONG
) -> About:
    """Judge every place of an answer that speaks of a person; the worst verdict counts.

    `contact` is what is usable of the contact as it is now. `echoes`: the provider says whom it found, so that
    silence is suspicious.
    """
    spoken = [one for one in said if one != BLANK]
    if not spoken:
        return About(Verdict.DOUBTFUL, (), (SILENT,)) if echoes else About(Verdict.SAME)
    judged = [_judge(contact, one, table) for one in spoken]
    if len(judged) == 1:
        return judged[0]
    return About(
        max((one.verdict for one in judged), key=_ORDER.index),
        tuple(dict.fromkeys(reason for one in judged for reason in one.agrees)),
        tuple(dict.fromkeys(reason for one in judged for reason in one.contradicts)),
    )


def _judge(contact: Identity, said: Identity, table: Sequence[Evidence]) -> About:
    strong, agrees, against = _parts(contact, said, table)
    match = names.compare(evidence.name_of(contact), evidence.name_of(said))
    if match.agreement is Agreement.SAME or match.agreement is Agreement.VARIANT:
        return About(_named(strong, against), (match.why, *agrees), against)
    if match.agreement is Agreement.UNKNOWN:
        doubt = against or ("no name can be compared",)
        return About(Verdict.SAME, agrees, against) if strong else About(Verdict.DOUBTFUL, agrees, doubt)
    if match.agreement is Agreement.NEAR:
        return About(Verdict.SAME if strong else Verdict.DOUBTFUL, agrees, (match.why, *against))
    renamed = match.agreement is Agreement.SURNAME_CHANGED and (
        strong or (match.plausible_marriage and EMPLOYER in agrees)
    )
    return About(Verdict.DOUBTFUL if renamed else Verdict.OTHER, agrees, (match.why, *against))


def _named(strong: bool, against: Sequence[str]) -> Verdict:
    """First and last name agree."""
    return Verdict.SAME if strong or not against else Verdict.DOUBTFUL


def _parts(
    contact: Identity, said: Identity, table: Sequence[Evidence]
) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """(strong evidence proves it, what agrees, what contradicts), names aside.

    A profile that identifies nobody proves nothing; another one beside it is another one all the same.
    """
    agrees: list[str] = []
    against: list[str] = []
    strong, vague = False, evidence.shared_profile(contact) if contact.shared else contact
    for kind in table:
        ours, theirs = kind.keys(contact), kind.keys(said)
        held = ours or (kind.keys(vague) if contact.shared else ())
        if set(ours) & set(theirs):
            strong = strong or not against  # a profile that contradicts outweighs a mailbox that agrees
            agrees.append(f"the {kind.name}")
        elif held and theirs and not set(held) & set(theirs) and kind.comparable(held, theirs):
            against.append(f"another {kind.name}")
    employer = _employer(contact, said)
    if employer is not None:
        (agrees if employer else against).append(EMPLOYER if employer else "another employer")
    return strong, tuple(agrees), tuple(against)


def _employer(contact: Identity, said: Identity) -> bool | None:
    """Do the employers agree? By domain where both have one, else by company; None where neither can be compared."""
    domains = [employers.domain(one.domain) if one.domain else None for one in (contact, said)]
    companies = [employers.company_key(one.company) if one.company else None for one in (contact, said)]
    if (domains[0] and domains[0] == domains[1]) or (companies[0] and companies[0] == companies[1]):
        return True
    return False if all(domains) or all(companies) else None
