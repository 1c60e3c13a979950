"""What a search finds, and each page of it, against the same in Python over random contacts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from syncd.contract.model import Identity
from syncd.ledger import figures, search
from syncd.ledger.results import dump_identity
from syncd.ledger.search import Wanted
from syncd.ledger.states import JobState

from .by_hand import EMPTY, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SYNCS, PROVIDERS, FIELDS, REASONS = ("a", "b"), ("ann", "bob"), ("email", "phone"), ("written", "not_found")
NAMES = ("Stone", "Lima", "Stonewall")
Row = dict[str, Any]


def people(tables: Tables, rng: random.Random) -> tuple[list[Row], list[Row]]:
    """Contacts with none, one or two jobs; the ids of both are in no order of each other."""
    tables.add(Where("sync", "name"), "a", crm="crm", object="contacts", selection="s")
    tables.add(Where("sync", "name"), "b", crm="crm", object="leads", selection="s")
    contacts: list[Row] = []
    jobs: list[Row] = []
    numbers = rng.sample(range(100, 200), 60)
    for n in rng.sample(range(1, 40), 24):
        where = {"connection": "crm", "object": rng.choice(("contacts", "leads", "gone"))}
        row: Row = {**where, "id": n, "ext_id": f"{rng.choice(('100', '101', '1000'))}{n}", "name": rng.choice(NAMES)}
        identity = Identity(last_name=row["name"])
        given = {**EMPTY, "identity": dump_identity(identity)}
        tables.add(Where("contact", "id"), n, **given, **where, ext_id=row["ext_id"])
        tables.write(search.index, [(n, identity)])
        contacts.append(row)
        for field in rng.choice(((), ("email",), FIELDS)):
            state = rng.choice([*JobState, JobState.DONE, JobState.DONE])
            job = {"id": numbers.pop(), "contact_id": n, "field": field, "sync": rng.choice(SYNCS), "state": state}
            job |= {"provider": rng.choice(PROVIDERS), "updated_at": float(rng.randint(1, 6))}
            job |= {"reason": rng.choice(REASONS) if state is JobState.DONE else ""}
            tables.add(Where("job", "id"), job["id"], **job)
            jobs.append(job)
    return contacts, jobs


def fits(wanted: Wanted, job: Row) -> bool:
    said = {key: getattr(wanted, key) for key in ("state", "reason", "sync", "field", "provider")}
    named = all(value is None or job.get(key) == value for key, value in said.items())
    return named and (wanted.since is None or ("updated_at" in job and job["updated_at"] >= wanted.since))


def expected(wanted: Wanted, contacts: list[Row], jobs: list[Row]) -> list[tuple[int, int | None]]:
    """Pairs of contact and job, in their order."""
    if wanted.text is None:
        return [(job["contact_id"], job["id"]) for job in sorted(jobs, key=lambda j: -j["id"]) if fits(wanted, job)]
    *place, start = wanted.text.split("/")
    there = [one for one in contacts if one["object"] != "gone"]
    mine = [one for one in there if not place or [one["connection"], one["object"]] == place]
    found: list[Row] = []
    if start[0].isdigit():
        for exact in (True, False):
            like = [one for one in mine if (one["ext_id"] == start if exact else one["ext_id"].startswith(start))]
            found = _pairs(wanted, like, jobs, lambda job: -int(job["id"]))
            if found:
                break
    else:
        named = [one for one in contacts if one["name"] == start]
        found = _pairs(wanted, named, jobs, lambda job: str(job["field"]))
    return [(one["contact"], one["job"]) for one in found]


def _pairs(wanted: Wanted, contacts: list[Row], jobs: list[Row], order: Callable[[Row], Any]) -> list[Row]:
    pairs = []
    for one in sorted(contacts, key=lambda c: -c["id"]):
        mine = sorted((job for job in jobs if job["contact_id"] == one["id"]), key=order)
        pairs += [{"contact": one["id"], "job": job.get("id")} for job in mine or [{}] if fits(wanted, job)]
    return pairs


def wishes() -> list[Wanted]:
    some: list[dict[str, Any]] = [{}, {"sync": "a"}, {"field": "phone"}, {"provider": "bob"}, {"since": 4.0}]
    some += [{"sync": "b", "field": "email", "provider": "ann"}]
    whats: list[dict[str, Any]] = [{}, *({"reason": one} for one in REASONS), *({"state": one} for one in JobState)]
    whats += [{"reason": "written", "state": "done"}, {"reason": "written", "state": "queued"}]
    texts = (None, "100", "1000", "crm/contacts/101", "crm/leads/1", "Stone", "Lima")
    return [Wanted(text=text, **what, **more) for text, what, more in itertools.product(texts, whats, some)]


@pytest.mark.parametrize("seed", range(3))
def test_all_that_fits_is_found_and_each_page_once(tables: Tables, seed: int) -> None:
    contacts, jobs = people(tables, random.Random(seed))
    exact = contacts[0]["ext_id"]
    for wanted in [*wishes(), Wanted(text=exact), Wanted(text=f"crm/contacts/{exact}"), Wanted(text=exact, sync="a")]:
        pairs = expected(wanted, contacts, jobs)
        refs = {one["id"]: f"{one['connection']}/{one['object']}/{one['ext_id']}" for one in contacts}
        told = [(refs[contact], job) for contact, job in pairs]
        whole = tables.read(search.find, wanted)
        assert [(one.ref, one.job_id) for one in whole.rows] == told, wanted
        assert whole.next is None
        if told:
            assert tables.read(search.find, wanted, limit=len(told)).next is None, "there is no more"
        assert tables.read(search.job_ids, wanted) == sorted(job for _, job in pairs if job is not None)
        paged, after = [], None
        for _ in range(len(told) + 1):
            page = tables.read(search.find, wanted, limit=3, after=after)
            paged += [(one.ref, one.job_id) for one in page.rows]
            after = page.next
            if after is None:
                break
        assert paged == told, wanted


def test_whom_a_text_can_mean_is_told_each_once_however_much_was_asked_about_them(tables: Tables) -> None:
    """Four fields of each."""
    for n in range(1, 8):
        given = {**EMPTY, "connection": "crm", "object": "contacts", "ext_id": f"e{n}"}
        tables.add(Where("contact", "id"), n, **given)
        tables.write(search.index, [(n, Identity(last_name="Stone"))])
        for job, field in enumerate(("email", "phone", "mobile", "linkedin"), 4 * n):
            tables.add(Where("job", "id"), job, contact_id=n, field=field, sync="a", state="done")
    found = tables.read(search.resolve, "stone", most=5)
    assert [ref.id for ref in found] == ["e7", "e6", "e5", "e4", "e3"]
    assert [ref.id for ref in tables.read(search.resolve, "crm/contacts/e2")] == ["e2"]


def test_the_beginning_of_an_id_has_three_characters_at_the_least(tables: Tables) -> None:
    """A shorter text is a word; with its place, an id may be as short as it is."""
    tables.add(Where("sync", "name"), "a", crm="crm", object="contacts", selection="s")
    for n, (id_, name) in enumerate((("70", "Stone"), ("700", "Brook"), ("7001", "Lima")), 1):
        given = {**EMPTY, "connection": "crm", "object": "contacts", "ext_id": id_}
        tables.add(Where("contact", "id"), n, **given)
        tables.write(search.index, [(n, Identity(first_name="70" if n == 2 else "x", last_name=name))])
    texts = ("70", "700", "7001", "crm/contacts/70", "crm/contacts/7", "7")
    found = [[one.ref.rpartition("/")[2] for one in tables.read(search.find, Wanted(text=text)).rows] for text in texts]
    assert found == [["700"], ["700"], ["7001"], ["70"], ["7001", "700", "70"], ["700"]]


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (Identity(), ("", "", "")),
        (Identity(first_name="Ada", last_name="Stone", company="Acme", domain="x.test"), ("Ada Stone", "", "Acme")),
        (Identity(last_name="Stone", full_name="Ada S.", domain="x.test"), ("Stone", "", "x.test")),
        (Identity(full_name="Ada S.", email="a@x.test"), ("Ada S.", "a@x.test", "")),
    ],
)
def test_how_a_contact_is_shown(tables: Tables, identity: Identity, told: tuple[str, str, str]) -> None:
    tables.add(Where("contact", "id"), 1, **{**EMPTY, "identity": dump_identity(identity)})
    tables.add(Where("job", "id"), 7, contact_id=1, field="email", state="queued")
    (found,) = tables.read(search.find, Wanted(state="queued")).rows
    assert (found.name, found.email, found.company) == told


def test_what_is_thinned_ended_long_ago(tables: Tables) -> None:
    tables.add(Where("contact", "id"), 1, **EMPTY)
    for n, thinned in enumerate((0, 1), 1):
        row = {"state": "done", "reason": "written", "sync": "a", "field": f"f{n}", "updated_at": 5.0}
        tables.add(Where("job", "id"), n, contact_id=1, **row, thinned=thinned)
    assert tables.read(search.job_ids, Wanted(since=5.0)) == [1]
    assert tables.read(search.job_ids, Wanted(state="done")) == [1, 2]
    assert tables.read(search.job_ids, Wanted(reason="written")) == [1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_the_head_of_each_queue(tables: Tables, seed: int) -> None:
    """Of a sync at a provider the next one, of its writes the first that is due, of its pulls the last whole one."""
    rng = random.Random(seed)
    jobs: list[Row] = []
    for n in range(1, 60):
        job: Row = {"state": rng.choice([JobState.QUEUED, JobState.ACCEPTED, JobState.WRITING, JobState.WAITING])}
        job |= {"sync": rng.choice(SYNCS), "provider": rng.choice(PROVIDERS), "priority": rng.randint(-1, 2)}
        job |= {"updated_at": float(rng.randint(1, 99)), "due_at": float(rng.randint(1, 99)), "id": n}
        tables.add(Where("job", "field"), "email", contact_id=n, **job)
        jobs.append(job)
    for n, (sync, ended, error) in enumerate((("a", 1.0, ""), ("a", 2.0, ""), ("a", 3.0, "no"), ("a", None, "")), 1):
        tables.add(Where("run", "sync"), sync, id=n, ended_at=ended, error=error)
    for n, state in enumerate(("received", "received", "applied"), 1):
        tables.add(Where("delivery", "id"), n, state=state, received_at=float(9 - n), submission_id=f"s{n}", body=b"")
    told = tables.read(figures.read, SYNCS, PROVIDERS)
    for sync, provider in itertools.product(SYNCS, PROVIDERS):
        queue = [j for j in jobs if (j["state"], j["sync"], j["provider"]) == (JobState.QUEUED, sync, provider)]
        queue.sort(key=lambda job: (-job["priority"], job["id"]))
        assert told.queued_since.get((sync, provider)) == (queue[0]["updated_at"] if queue else None)
    for sync in SYNCS:
        due = [j["due_at"] for j in jobs if j["sync"] == sync and j["state"] in (JobState.ACCEPTED, JobState.WRITING)]
        assert told.writes_due.get(sync) == min(due, default=None)
    assert told.pulled_at == {"a": 2.0}
    assert (told.inbox, told.waits_since["inbox"]) == (2, 8.0)
