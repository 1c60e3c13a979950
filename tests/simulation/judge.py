"""The judge: what must be true of every history, read from the world's side.

It knows the truth about everybody, each change in the CRMs, each purchase and each acknowledged
callback. The ledger is only asked at the end what it claims, and held against that.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from syncd.config.sections import Budget, InDoubtPolicy
from syncd.contract.model import Field
from syncd.ledger import arrivals, upkeep
from syncd.ledger.store import Tx

from . import purchases
from .crm import FIELD, PROPERTY, Crm, Entry, Record, is_selected
from .oneness import Oneness
from .people import Find
from .spending import Spending
from .timeline import DAY
from .vendor import Letter, Purchase, Vendor

if TYPE_CHECKING:
    import sqlite3

    from .life import InlineLedger
    from .world import World

    Job = dict[str, Any]

REFLECTED = {"undone", "written", "outdated", "human_value_kept", "contact_gone", "duplicate_of", "suppressed"}
ENDLESS = 2e11  # UTC seconds: what is due later waits for a person, however long that takes
TELLS = 600.0  # seconds after which an opt-out that was pulled counts everywhere
SEEN = 300.0 + 900.0  # seconds for which a look is good, and in which a call that was under way arrives at last
HANDFUL = 3
LATE = 2 * DAY  # until the next bell has rung
BLIND = 900.0  # seconds: until the canary is sent, and until a call that was under way arrives at last

_TAKEN = "SELECT coalesce(sum(charged_mc + reserved_mc + assumed_mc), 0) FROM credit_total"
_SPENT = """
SELECT coalesce(sum(charged_mc + reserved_mc + assumed_mc), 0) FROM spend
WHERE sync IN (SELECT value FROM json_each(?)) AND slot BETWEEN ? AND ?"""
QUARTER_HOURS = int(DAY // 900)  # in a day, by which the ledger keeps what is spent
_PER_DAY: Callable[[Budget], Decimal | None] = attrgetter("credits_per_day")
_PER_MONTH: Callable[[Budget], Decimal | None] = attrgetter("credits_per_month")
_JOBS = """
SELECT job.*, contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref
FROM job JOIN contact ON contact.id = job.contact_id ORDER BY job.id
"""

_MISSES = """
SELECT provider, max(asked_at) AS missed FROM answer AS miss
WHERE job_id = ? AND provider IN (SELECT value FROM json_each(?)) AND outcome = 'not_found'
    AND NOT EXISTS (  -- what is known by now is too little for it
        SELECT 1 FROM answer AS later WHERE later.job_id = miss.job_id AND later.provider = miss.provider
            AND later.outcome = 'skipped' AND later.asked_at > miss.asked_at)
GROUP BY provider
"""
_TO_UNDO = "SELECT write_id FROM undo WHERE state IN ('asked', 'intent')"
_UNDONE = """
SELECT contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref, job.field, write.after FROM undo
JOIN write ON write.id = undo.write_id JOIN job ON job.id = undo.job_id JOIN contact ON contact.id = undo.contact_id
WHERE undo.state = 'undone' AND job.reason = 'undone'
"""
_SET_ASIDE = """
SELECT later.submission_id FROM delivery AS later
JOIN delivery AS earlier ON earlier.submission_id = later.submission_id AND earlier.id < later.id
JOIN result ON result.delivery_id = earlier.id AND result.outcome = 'failed'
WHERE later.state = 'quarantined' AND later.note = 'a find that repeats nothing of what was sent'
"""


class Judge:
    """Calls `world.violated` with the promise that was broken."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._taken: tuple[int, int] | None = None
        self._spending = Spending(world)

    # --- at every commit ----------------------------------------------------------------------

    def on_commit(self, tx: Tx) -> None:
        """I4: work ends. I8: what is spent and reserved never exceeds the budget, whatever the sync was called."""
        self._world.worked()
        today = int(self._world.wall_clock.now() // DAY)
        taken = (today, tx._connection.execute(_TAKEN).fetchone()[0])
        if taken == self._taken:
            return  # nothing was spent or reserved since
        self._taken = taken
        self._spending.on_commit(tx)
        for crm in self._world.crms:
            for days, of in ((1, _PER_DAY), (30, _PER_MONTH)):
                since = self._world.now - (days + 1) * DAY - self._world.wall_clock.furthest
                cap = self._world.configuration.cap(crm, since, of)
                if cap is None:
                    continue
                names = json.dumps(sorted(self._world.configuration.names(crm)))
                first, after = ((today + n) * QUARTER_HOURS for n in (1 - days, 1))
                spent = tx._connection.execute(_SPENT, (names, first, after - 1)).fetchone()[0]
                if spent > cap * 1000:
                    self._world.violated("I8", f"{spent / 1000} of {cap} were spent for {crm} in {days} days")

    def _jobs(self, ledger: InlineLedger) -> list[Job]:
        """As they stand, with the first names of the connections."""
        rows = [dict(row) for row in ledger.connection.execute(_JOBS).fetchall()]
        firsts = self._world.configuration.first_names
        return [
            row | {"ref": self._world.first_ref(row["ref"]), "provider": firsts.get(row["provider"], "")}
            for row in rows
        ]

    # --- is it over? --------------------------------------------------------------------------

    def unsettled(self, ledger: InlineLedger) -> list[str]:
        """What is still open, new rounds of questions aside."""
        jobs = self._jobs(ledger)
        open_ = [f"{job['id']} {job['state']} {job['round']}" for job in self._unsettled(jobs)]
        undos = [f"undo of {row[0]}" for row in ledger.connection.execute(_TO_UNDO)]
        return [*open_, *undos, *self._undiscovered(jobs)]

    def _unsettled(self, jobs: list[Job]) -> list[Job]:
        policies = {c.name: c.in_doubt_policy for c in self._world.configuration.now.connections.values()}
        stay = {j["id"] for j in jobs if j["state"] == "in_doubt" and policies[j["provider"]] is InDoubtPolicy.ASK}
        stay |= {j["id"] for j in jobs if j["state"] == "review" and j["due_at"] > ENDLESS}
        stay |= {j["id"] for j in jobs if j["state"] == "queued" and j["priority"] < 0}  # stands: as budgets have room
        for _ in range(3):  # who waits for one that waits
            stay |= {j["id"] for j in jobs if j["state"] == "waiting" and j["behind"] in stay}
        return [j for j in jobs if j["state"] != "done" and j["id"] not in stay]

    def _undiscovered(self, jobs: list[Job]) -> list[str]:
        known = {(job["ref"], job["field"]) for job in jobs}
        return [
            f"{crm.name}/contacts/{record.id} {fld}"
            for crm in self._world.crms.values()
            for sync in [self._world.configuration.sync_of(crm.name)]
            for record in crm.alive()
            if is_selected(record, sync.match)
            for fld, name in PROPERTY.items()
            if fld in sync.fields
            and not record.values.get(name)
            and (f"{crm.name}/contacts/{record.id}", fld) not in known
            and not self._world.rights.may_be_erased(f"{crm.name}/contacts/{record.id}", record)
        ]

    # --- the last word ------------------------------------------------------------------------

    def conclude(self, ledger: InlineLedger | None) -> None:
        """Everything that is judged when the history is over."""
        if ledger is None or not self._world.life or not self._world.life.alive:
            self._world.violated("I4", "syncd does not live at the end")
            return
        jobs = self._jobs(ledger)
        self._everything_ended(jobs)
        self._nothing_lost(jobs, ledger)
        self._undone_is_gone(ledger)
        purchases.nothing_paid_twice(self._world)
        self._nothing_bought_blindly()
        self._nothing_bought_in_vain()
        self._nothing_bought_outside()
        self._nothing_bought_needlessly()
        self._little_bought_before_a_write()
        self._old_misses_asked_again(jobs, ledger)
        self._nothing_overwritten()
        self._only_ours_replaced()
        self._nothing_cleared_written_again()
        self._only_the_right_values()
        self._nobody_suppressed()
        self._nobody_suppressed_for_another(jobs)
        self._whoever_asked_is_left_alone()
        self._credits_add_up(ledger)
        self._claims_are_true(jobs)
        if self._world.heard is not None:
            self._nobody_named(self._world.heard.getvalue())

    def _everything_ended(self, jobs: list[Job]) -> None:
        for job in self._unsettled(jobs)[:1]:
            self._world.violated("I4", f"{job['ref']} {job['field']} is {job['state']} for ever ({job['note']})")
        for what in self._undiscovered(jobs)[:1]:
            self._world.violated("I4", f"{what} was never looked at")

    def _nothing_lost(self, jobs: list[Job], ledger: InlineLedger) -> None:
        """I1: every acknowledged callback is in the ledger. I13: what it found of the right person has come to
        something, or waits for the operator."""
        by_ref = {(job["ref"], job["field"]): job for job in jobs}
        for vendor in self._world.vendors.values():
            for letter in vendor.letters:
                if letter.acknowledged is not None:
                    self._stored(letter, ledger)
                    for purchase, find in letter.finds if letter.submission not in vendor.tampered else ():
                        if self._counts(purchase, find) and purchase.ref not in self._world.rights.erased:
                            self._not_discarded(purchase, find.value, by_ref[purchase.ref, purchase.field])

    def _stored(self, letter: Letter, ledger: InlineLedger) -> None:
        kept = (
            "SELECT state, body, text FROM delivery LEFT JOIN sample ON sample.id = sample_id WHERE submission_id = ?"
        )
        found = ledger.connection.execute(kept, (letter.submission,)).fetchall()
        about, emptied = self._about_erased(letter), self._world.rights.names_somebody_erased(letter.body)
        states = {
            row["state"]
            for row in found
            if arrivals.unpacked(row["body"], row["text"]) == letter.body or about or (emptied and not row["body"])
        }
        useless = any(purchase.useless for purchase in letter.purchases) or self._is_tampered(letter) or about
        if not states & ({"applied", "quarantined", "surplus"} if useless else {"applied"}):
            self._world.violated("I1", f"an acknowledged callback of {letter.submission[:6]} is lost: {sorted(states)}")

    def _about_erased(self, letter: Letter) -> bool:
        bought = self._world.vendors[letter.vendor].purchases
        return any(one.submission == letter.submission and one.ref in self._world.rights.erased for one in bought)

    def _is_tampered(self, letter: Letter) -> bool:
        return letter.submission in self._world.vendors[letter.vendor].tampered

    def _counts(self, purchase: Purchase, find: Find) -> bool:
        """Would it be written as it is configured now: is it good enough, wanted of this provider, and not too old?"""
        crm = purchase.ref.partition("/")[0]
        policy = self._world.configuration.sync_of(crm).fields.get(purchase.field)
        wanted = policy is not None and find.grade in policy.accept and purchase.vendor in policy.providers
        wanted = wanted and self._world.outside(purchase.ref) == 0
        age = max(self._world.wall_clock.now() - purchase.wall, self._world.now - purchase.at)
        return wanted and age + purchase.ahead < self._world.configuration.shortest(crm, found=True)

    def _not_discarded(self, purchase: Purchase, value: str, job: Job) -> None:
        crm, record = self._world.record(purchase.ref)
        refused = (purchase.ref, str(purchase.field), value) in self._world.operator.refused
        # A pull brings what lacks something: whom it does not bring any more is filled, or gone.
        stands = crm.stands(record.id)
        filled = stands is None or bool(stands.values.get(PROPERTY[purchase.field]))
        # A record that was merged into another one looks like one that has left: only a write tells where it is now.
        # What was not good enough before a record was filled, deleted or merged stays the reason, whatever is good now.
        left = (filled or record.now is not None) and job["reason"] in {"cancelled", "low_quality"}
        # Without a history of fields, whoever edits a record between a write and a lost answer may have cleared it.
        cleared = job["reason"] == "cleared" and self._was_edited(crm, record, purchase.at)
        place = (record.id, PROPERTY[purchase.field])
        stood = any((e.record, e.name) == place and e.who == "syncd" and e.value == value for e in crm.log)
        reflected = job["reason"] in REFLECTED or left or cleared or stood
        if job["state"] == "done" and not reflected and not refused and not crm.changed_hands(record):
            what = f"{purchase.vendor} found {value} for {purchase.ref} {purchase.field} ({purchase.submission[:6]})"
            self._world.violated("I13", f"{what}, acknowledged, and discarded: the job ended as {job['reason']}")

    @staticmethod
    def _was_edited(crm: Crm, record: Record, since: float) -> bool:
        """By others than us; another record may have been merged into it."""
        edited = any(e.record == record.id and e.who != "syncd" and e.at >= since for e in crm.log)
        merged = any(one.now == record.id and one.left >= since for one in crm.records.values())
        return edited or merged or any(at >= since for at in record.blocked_since.values())

    def _nothing_bought_blindly(self) -> None:
        """I9: nothing is bought once the canary must have told that no answer could come in."""
        for vendor in self._world.vendors.values():
            for purchase in vendor.purchases:
                if purchase.cut_off > BLIND:
                    what = f"{vendor.name} was asked about {purchase.ref} {purchase.field}"
                    self._world.violated("I9", f"{what} when callbacks had been lost for {purchase.cut_off:.0f} s")

    def _nothing_bought_in_vain(self) -> None:
        """I9: while a CRM refuses whatever is written, hardly anything is bought: something to try it with."""
        found: dict[tuple[str, float], set[str]] = defaultdict(set)
        for purchase in (p for vendor in self._world.vendors.values() for p in vendor.purchases):
            if purchase.shut is not None and purchase.at - purchase.shut > BLIND and purchase.billed:
                found[purchase.ref.partition("/")[0], purchase.shut].add(purchase.ref)
        for (crm, since), refs in found.items():
            if len(refs) > HANDFUL:
                what = f"{len(refs)} contacts were bought for {crm}"
                self._world.violated("I9", f"{what}, which has refused everything since day {since / DAY:.3f}")

    def _nothing_bought_outside(self) -> None:
        """I14: nothing is bought for whom the selection does not hold, once that could be seen."""
        for vendor in self._world.vendors.values():
            for purchase in vendor.purchases:
                if purchase.outside > SEEN:
                    what = f"{vendor.name} was asked about {purchase.ref} {purchase.field}"
                    self._world.violated("I14", f"{what}, for {purchase.outside:.0f} s not in the selection")

    def _nothing_bought_needlessly(self) -> None:
        """I2: nothing is bought for what the CRM holds, or for a record that is not there, once that could be seen."""
        for purchase in self._purchases():
            if purchase.in_vain > SEEN:
                what = f"{purchase.vendor} was asked about {purchase.ref} {purchase.field}"
                self._world.violated("I2", f"{what}, filled or gone for {purchase.in_vain:.0f} s")

    def _little_bought_before_a_write(self) -> None:
        """I9: until the CRM has taken a first write, hardly anything is bought."""
        for purchase in self._purchases():
            if purchase.crowd >= HANDFUL:
                what = f"{purchase.vendor} was asked about {purchase.ref} {purchase.field}"
                self._world.violated("I9", f"{what} and {purchase.crowd} other contacts, before anything was written")

    def _purchases(self) -> list[Purchase]:
        return [purchase for vendor in self._world.vendors.values() for purchase in vendor.purchases]

    def _old_misses_asked_again(self, jobs: list[Job], ledger: InlineLedger) -> None:
        """I15: a provider that found nobody is asked again once that is older than it counts."""
        for job in jobs:
            if not self._is_wanted(job):
                continue
            crm = job["ref"].partition("/")[0]
            policy = self._world.configuration.sync_of(crm).fields[Field(job["field"])]
            names = json.dumps([self._world.configuration.called[name] for name in policy.providers])
            counts = self._world.configuration.longest_for_a_miss(crm)
            for name, at in ledger.connection.execute(_MISSES, (job["id"], names)):
                if at + counts + LATE < self._world.wall_clock.now():
                    what = f"{name} found nobody for {job['ref']} {job['field']}"
                    self._world.violated("I15", f"{what}, and was not asked again {counts / DAY:.0f} days later")

    def _is_wanted(self, job: Job) -> bool:
        """Is it over in vain, although somebody should be found?"""
        (crm, record), fld = self._world.record(job["ref"]), Field(job["field"])
        sync = self._world.configuration.sync_of(crm.name)
        there = not record.gone and record.now is None and is_selected(record, sync.match)
        wanted = fld in sync.fields and not record.values.get(PROPERTY[fld]) and fld not in record.blocked_since
        return job["reason"] == "not_found" and there and wanted and not crm.changed_hands(record)

    def _nothing_cleared_written_again(self) -> None:
        """I3: what we wrote and somebody cleared is not written there again."""
        for crm in self._world.crms.values():
            ours: dict[tuple[str, str], set[str]] = defaultdict(set)
            cleared: dict[tuple[str, str], set[str]] = defaultdict(set)
            for entry in crm.log:
                place = (entry.record, entry.name)
                if entry.who != "syncd":
                    cleared[place].discard(entry.value)
                    if not entry.value and entry.before in ours[place]:
                        cleared[place].add(entry.before)
                elif entry.value in cleared[place]:
                    what = f"{crm.name}/{entry.record} {entry.name} was given {entry.value!r} again"
                    self._world.violated("I3", f"{what} after it was cleared there (day {entry.at / DAY:.4f})")
                elif entry.value:
                    ours[place].add(entry.value)

    def _nothing_overwritten(self) -> None:
        """I3: whatever a person had typed and we covered was put back."""
        for crm in self._world.crms.values():
            by_place: dict[tuple[str, str], list[Entry]] = defaultdict(list)
            for entry in crm.log:
                by_place[entry.record, entry.name].append(entry)
            for (record, name), entries in by_place.items():
                self._kept(crm, crm.records[record], name, entries)

    def _kept(self, crm: Crm, record: Record, name: str, entries: list[Entry]) -> None:
        """The newest thing that a person did must be what stands, unless a program undid it."""
        said: Entry | None = None  # what a person last said, as long as nobody but us covered it
        covered = False
        for entry in entries:
            if entry.who == "person":
                said, covered = entry, False
            elif entry.who == "program":
                said, covered = None, False
            elif said is not None:
                covered = entry.value != said.value and (said.value != "" or not self._blank_at_first(entries, said))
        if covered and said is not None and not record.gone and record.now is None:
            what = f"{crm.name}/{record.id} {name}: a person had {said.value!r} on day {said.at / DAY:.4f}"
            self._world.violated("I3", f"{what}, and ours stands there now")

    def _only_ours_replaced(self) -> None:
        """I3: what stands is replaced only where it is ours, or where the policy allows it and a program wrote it."""
        for crm in self._world.crms.values():
            ours: dict[tuple[str, str], set[str]] = defaultdict(set)
            typed: set[tuple[str, str]] = set()  # where a person has ever written
            for entry in crm.log:
                place = (entry.record, entry.name)
                if entry.who != "syncd":
                    typed |= {place} if entry.who == "person" else set()
                    continue
                meant = entry.before if entry.expected is None else entry.expected
                free = place not in typed and self._world.configuration.may_replace_a_programs(
                    crm.name, FIELD[entry.name]
                )
                if meant and meant not in ours[place] and not free:
                    what = f"{crm.name}/{entry.record} {entry.name}: {meant!r} was replaced by {entry.value!r}"
                    self._world.violated("I3", f"{what} on day {entry.at / DAY:.4f}, and it was not ours")
                ours[place].add(entry.value)

    @staticmethod
    def _blank_at_first(entries: list[Entry], said: Entry) -> bool:
        return said is entries[0] and said.before == ""

    def _only_the_right_values(self) -> None:
        """I5 and I6: we write what a provider has verified for whom the record was about when it was read for the
        write, or put back what was there."""
        for crm in self._world.crms.values():
            seen: dict[tuple[str, str], set[str]] = defaultdict(set)
            for entry in crm.log:
                place = (entry.record, entry.name)
                if entry.who == "syncd" and entry.value not in seen[place] | entry.theirs:
                    what = f"{crm.name}/{entry.record} {entry.name} was given {entry.value!r}, which is wrong"
                    self._world.violated("I5", f"{what}: it is not theirs (day {entry.at / DAY:.4f})")
                seen[place] |= {entry.value, entry.before}

    def _undone_is_gone(self, ledger: InlineLedger) -> None:
        """I3: what is said to be put back does not stand there as ours any more."""
        for row in ledger.connection.execute(_UNDONE):
            (crm, record), name = self._world.record(self._world.first_ref(row["ref"])), PROPERTY[Field(row["field"])]
            newest = next((e for e in reversed(crm.log) if (e.record, e.name) == (record.id, name)), None)
            if newest is not None and newest.who == "syncd" and newest.value == row["after"]:
                self._world.violated("I3", f"{crm.name}/{record.id} {name} holds {newest.value!r}, said to be put back")

    def _nobody_suppressed(self) -> None:
        """I10: no write after an opt-out that the read before it showed; no purchase after one that was pulled, of
        this record or of another one of the same person."""
        for crm in self._world.crms.values():
            for what, at in crm.forbidden:
                self._world.violated("I10", f"{what} on day {at / DAY:.4f}")
        oneness = Oneness(self._world)
        for vendor in self._world.vendors.values():
            for purchase in vendor.purchases:
                self._left_alone(oneness, purchase.ref, purchase.field, purchase.at, f"{vendor.name} was asked about")
        for crm in self._world.crms.values():
            for write in crm.writes:
                ref = f"{crm.name}/contacts/{write.record}"
                self._left_alone(oneness, ref, write.field, write.at, "somebody wrote to")

    def _left_alone(self, oneness: Oneness, ref: str, fld: Field, at: float, what: str) -> None:
        places = [] if what.startswith("somebody") else [ref]  # what the record itself says is read before a write
        for other in (*places, *oneness.others(ref)):
            told = self._world.record(other)[1].blocked_told.get(fld)
            if told is not None and told + TELLS < at:
                self._world.violated("I10", f"{what} {ref} {fld} on day {at / DAY:.4f}, and {other} had opted out")

    def _whoever_asked_is_left_alone(self) -> None:
        """I10: no purchase and no write for whom the operator has suppressed or erased, once that was noted."""
        left = self._world.rights.left
        for purchase in self._purchases():
            if left.get(purchase.ref, purchase.at) + SEEN < purchase.at:
                what = f"{purchase.vendor} was asked about {purchase.ref} {purchase.field}"
                self._world.violated("I10", f"{what} on day {purchase.at / DAY:.4f}, who is to be left alone")
        for crm in self._world.crms.values():
            for write in crm.writes:
                ref = f"{crm.name}/contacts/{write.record}"
                if left.get(ref, write.at) + SEEN < write.at:
                    what = f"{ref} {write.field} was written on day {write.at / DAY:.4f}"
                    self._world.violated("I10", f"{what}, who is to be left alone")

    def _nobody_suppressed_for_another(self, jobs: list[Job]) -> None:
        """I10: an opt-out is nobody else's; a shared mailbox and another surname look like one who has married."""
        oneness = Oneness(self._world)
        for job in jobs:
            found = re.search(r"opted_out: (\S+)", job["note"] if job["reason"] == "suppressed" else "")
            if found is None:
                continue
            (crm, one), (other_crm, other) = self._world.record(job["ref"]), self._world.record(found[1])
            names = {one.identity.last_name, other.identity.last_name}
            changed = crm.changed_hands(one) or other_crm.changed_hands(other)
            plain = not changed and one.own == one.identity and other.own == other.identity
            plain = plain and not oneness.may_have_married(job["ref"], self._world.first_ref(found[1]))
            if len(names) == 2 and None not in names and plain:  # a record without a name may be anybody's
                self._world.violated("I10", f"{job['ref']} {job['field']} is left alone for {found[1]}, somebody else")

    def _credits_add_up(self, ledger: InlineLedger) -> None:
        """I8, I11: what is settled is what was billed; nothing that was billed is unknown; the sums are those of the
        calls, whatever connections and syncs were called."""
        for problem in upkeep.problems(self._world.path, ledger.tx):
            self._world.violated("I11", problem)
        rows = {row["id"]: row for row in ledger.connection.execute("SELECT * FROM submission")}
        # An answer after a failure that names a stranger looks like a forgery: it is told, and changes no sum.
        aside = {row[0] for row in ledger.connection.execute(_SET_ASIDE)}
        for vendor in self._world.vendors.values():
            unknown = aside | vendor.billed_in_silence()
            for submission, billed in vendor.billed.items():
                if submission not in unknown:
                    self._settled_right(vendor, submission, billed, rows.get(submission))

    def _settled_right(self, vendor: Vendor, submission: str, billed: int, row: sqlite3.Row | None) -> None:
        if row is None:
            self._world.violated(
                "I11", f"{vendor.name} was asked in {submission[:6]}, of which the ledger knows nothing"
            )
            return
        if submission in vendor.tampered:
            return
        charged, reserved = row["charged_mc"], row["reserved_mc"] + row["assumed_mc"]
        if (charged or 0) + reserved < billed * 1000:
            self._world.violated("I8", f"{submission[:6]}: {billed} billed, {charged} charged and {reserved} reserved")
        if row["state"] == "settled" and charged is not None and charged != billed * 1000:
            self._world.violated("I8", f"{submission[:6]}: {billed} billed, but {charged} settled")

    def _claims_are_true(self, jobs: list[Job]) -> None:
        """What the ledger says was written was written, there or to a record that is one with it by now. What is old
        has no value any more."""
        for job in jobs:
            if job["state"] == "done" and job["reason"] == "written" and not job["thinned"]:
                crm, record = self._world.record(job["ref"])
                places = {one.id for one in crm.records.values() if crm.ends_at(one) is crm.ends_at(record)}
                name = PROPERTY[Field(job["field"])]
                if not any(
                    e.record in places and e.name == name and e.who == "syncd" and e.value == job["value"]
                    for e in crm.log
                ):
                    self._world.violated("I11", f"{job['ref']} {job['field']} is called written, and never was")

    def _nobody_named(self, log: str) -> None:
        """I7: no address, number, name or key in what the daemon logs."""
        names: set[str] = set(self._world.keys)
        for person in self._world.market.people:
            profile = (person.identity.linkedin_url or "").rpartition("/")[2]
            values = {find.value.removeprefix("+") for find in person.finds.values()}
            names |= values | {part for part in (person.identity.last_name, profile) if part}
        for crm in self._world.crms.values():
            names |= {entry.value.removeprefix("+") for entry in crm.log if entry.value}
        if found := re.search("|".join(map(re.escape, sorted(names))), log, re.IGNORECASE):
            line = log[: found.end()].count("\n") + 1
            self._world.violated("I7", f"the log tells {found[0]} in its line {line}")
