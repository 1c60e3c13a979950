"""Which records are one person so clearly that syncd must know it: the judge's own rule, stricter than syncd's.

Where the evidence is weaker (a record has changed hands, holds somebody else's profile, or a namesake is about),
nothing is asked of syncd: it may take two records for one person or for two.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .crm import Record
from .people import MAILBOX_HOST

if TYPE_CHECKING:
    from .world import World


class Oneness:
    """The records of a world at its end, as connection/object/id."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records = {
            f"{crm.name}/contacts/{record.id}": record for crm in world.crms.values() for record in crm.records.values()
        }
        self._named = Counter(self._place(ref, record) for ref, record in self._records.items())
        self._mailboxes = {ref: self._held(ref) for ref in self._records}

    def others(self, ref: str) -> list[str]:
        """The person's other records."""
        return [other for other in self._records if other != ref and self.one(ref, other)]

    def one(self, one: str, other: str) -> bool:
        """Are they one person, by a profile, or by a name at an employer and nothing against it?"""
        a, b = self._records[one], self._records[other]
        if a.person is not b.person or self._renamed(one) or self._renamed(other):
            return False
        profile = a.identity.linkedin_url
        if profile and profile == b.identity.linkedin_url:
            return profile not in self._world.pasted
        return self._by_name(one, other)

    def may_have_married(self, one: str, other: str) -> bool:
        """Two people of one first name: was a mailbox of the one's ever in a record of the other's?"""
        a, b = self._records[one].person, self._records[other].person
        ours, theirs = (
            {box for ref, record in self._records.items() if record.person is who for box in self._mailboxes[ref]}
            for who in (a, b)
        )
        return a.identity.first_name == b.identity.first_name and not ours.isdisjoint(theirs)

    def _renamed(self, ref: str) -> bool:
        crm, record = self._world.record(ref)
        return bool(crm.changed_hands(record))

    def _by_name(self, one: str, other: str) -> bool:
        a, b = self._records[one], self._records[other]
        profiles = {a.identity.linkedin_url, b.identity.linkedin_url} - {None}
        alone = all(self._named[self._place(ref, record)] == 1 for ref, record in ((one, a), (other, b)))
        mailboxes = self._mailboxes[one] | self._mailboxes[other]
        known = a.identity.domain not in (None, MAILBOX_HOST) and b.identity.domain is not None
        apart = one.partition("/")[0] != other.partition("/")[0]
        theirs = len(profiles) < 2 and profiles <= set(a.person.profiles)
        return known and apart and alone and theirs and len(mailboxes) < 2 and not self._changed(one, other)

    def _changed(self, one: str, other: str) -> bool:
        """Has another record changed hands to or from somebody of the name, so that it was a namesake's for a while?"""
        names = {self._records[ref].person.at_work for ref in (one, other)}
        changed = (record for record in self._records.values() if record.renamed)
        return any(person.at_work in names for record in changed for person in (record.person, *record.former))

    def _held(self, ref: str) -> set[str]:
        """Every mailbox that ever stood in a record."""
        name, _, id_ = ref.split("/")
        log = self._world.crms[name].log
        return {entry.value for entry in log if entry.record == id_ and entry.name == "email" and entry.value}

    @staticmethod
    def _place(ref: str, record: Record) -> tuple[str | None, ...]:
        who = record.identity
        return (ref.partition("/")[0], who.first_name, who.last_name, who.domain)
