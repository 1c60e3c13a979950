"""Contacts in the ledger: who is whom, what a pull leaves behind, and which jobs a plan may open again."""

import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.contract.model import Contact, ContactRef, Field, Identity, Page
from syncd.ledger import cases, contacts, decisions, people
from syncd.ledger.contacts import Rules
from syncd.ledger.results import load_identity
from syncd.ledger.states import Reason
from syncd.ledger.store import Ledger, Tx
from syncd.people.groups import MANY
from tests.contract.fake_provider import FakeProvider
from tests.places import place_of

from .audit import ask
from .by_hand import EMPTY, Tables, Where
from .conftest import Build
from .furnish import queue_all
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness

NOW = 1_790_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Ledger.open(place_of(tmp_path / "ledger.db")).close()
    return tmp_path / "ledger.db"


# --- who is whom ------------------------------------------------------------------------------

WEB = "https://www.linkedin.com/in/"


def somebody(known: str) -> Identity:
    """`h:ada-by acme.test m1 p1`: a record of the CRM `h`, with a name, an employer (a domain, or a company
    name in capitals), a mailbox, a profile, a mobile number (`+`) and a country (`GB`)."""
    first, _, last = known.split(maxsplit=1)[0].partition(":")[2].partition("-")
    parts = {"first_name": first.title() or None, "last_name": last.title() or None}
    for word in known.split()[1:]:
        match word[0]:
            case "m":
                parts["email"] = f"{word}@mail.example"
            case "p":
                parts["linkedin_url"] = f"{WEB}{word}-example"
            case "+":
                parts["phones"] = (word,)  # type: ignore[assignment]
            case _:
                key = "domain" if "." in word else "country" if len(word) == 2 else "company"
                parts[key] = word
    return Identity(**parts)  # type: ignore[arg-type]


def people_of(path: Path, records: Iterable[tuple[int, str]]) -> str:
    """Numbered records are pulled one by one; letters stand for people, in the order of the records' own numbers."""

    def pull(tx: Tx) -> None:
        for number, known in records:
            where = ref(str(number), connection=known.partition(":")[0])
            contacts.store(tx, "people", Contact(ref=where, revision="1", identity=somebody(known)), (EMAIL,), now=NOW)

    Ledger.change(place_of(path), pull)
    rows = ask(path, "SELECT person FROM contact ORDER BY CAST(ext_id AS INTEGER)")
    letters: dict[str, str] = {}
    return "".join(letters.setdefault(person, "abcdefgh"[len(letters)]) for (person,) in rows)


CASES = {
    "a profile in two CRMs": (["h:ada-by p1", "s:ada-by p1"], "aa"),
    "a profile in one CRM": (["h:ada-by p1", "h:ada-by p1"], "aa"),
    "a mailbox": (["h:ada-by m1", "s:ada-by m1"], "aa"),
    "a name at a domain, in two CRMs": (["h:ada-by acme.test", "s:ada-by acme.test"], "aa"),
    "a name at a company, in two CRMs": (["h:ada-by ACME", "s:ada-by Acme"], "aa"),
    "a name at an employer, in one CRM": (["h:ada-by acme.test", "h:ada-by acme.test"], "ab"),
    "a name without an employer": (["h:ada-by", "s:ada-by"], "ab"),
    "a name at a mailbox provider": (["h:ada-by sfr.fr", "s:ada-by sfr.fr"], "ab"),
    "a name at two employers": (["h:ada-by acme.test", "s:ada-by birch.test"], "ab"),
    "many keys unite": (["h:ada-by p1", "s:ada-by m1", "h:ada-by p1 m1"], "aaa"),
    "a chain of keys": (
        ["h:ada-by p1", "s:ada-by p1 m1", "t:ada-by m1 acme.test", "u:ada-by acme.test"],
        "aaaa",
    ),
    "domain and company are both keys": (
        ["h:ada-by acme.test ACME", "s:ada-by ACME", "t:ada-by acme.test"],
        "aaa",
    ),
    "two profiles are a veto": (["h:ada-by acme.test p1", "s:ada-by acme.test p2"], "ab"),
    "two countries are a veto": (["h:ada-by acme.test GB", "s:ada-by acme.test FR"], "ab"),
    "two mobiles are a veto": (["h:ada-by acme.test +447700900001", "s:ada-by acme.test +447700900002"], "ab"),
    "a name that could mean two": (
        ["h:ada-by acme.test p1", "h:ada-by acme.test p2", "s:ada-by acme.test"],
        "abc",
    ),
    "a profile under two names": (["h:ada-by p1", "s:tom-birch p1"], "ab"),
    "a mailbox under two names": (["h:ada-by m1", "s:tom-birch m1"], "ab"),
    "a vague profile, and a mailbox": (["h:ada-by p1 m1", "s:tom-birch p1", "t:ada-by m1"], "aba"),
    "nothing is known": (["h:", "s:"], "ab"),
}


@pytest.mark.parametrize(("records", "people"), CASES.values(), ids=CASES)
def test_who_is_one_person_does_not_depend_on_the_order_of_arrival(
    tmp_path: Path, records: list[str], people: str
) -> None:
    for turn, order in enumerate(itertools.permutations(enumerate(records))):
        Ledger.open(place_of(tmp_path / f"{turn}.db")).close()
        assert people_of(tmp_path / f"{turn}.db", order) == people, [number for number, _ in order]


def test_a_profile_under_two_names_is_counted_once_and_identifies_nobody(path: Path) -> None:
    people_of(path, enumerate(["h:ada-by p1", "s:tom-birch p1", "t:ada-by"]))
    vague = [tuple(json.loads(row[0])) for row in ask(path, "SELECT vague FROM contact ORDER BY ext_id")]
    assert vague == [(f"{WEB}p1-example",), (f"{WEB}p1-example",), ()]
    known = Ledger.change(place_of(path), lambda tx: cases.read(tx, [1, 2, 3], Rules()).cases)
    assert [one.identity.linkedin_url for one in known] == [None, None, None]


def test_a_record_that_changes_is_recognised_anew(path: Path) -> None:
    pulls = ["h:ada-by acme.test", "s:ada-by acme.test"]
    assert people_of(path, enumerate(pulls)) == "aa"
    assert people_of(path, enumerate(["h:ada-by acme.test", "s:tom-birch acme.test"])) == "ab"
    assert people_of(path, enumerate(pulls)) == "aa"


def test_who_stands_between_two_groups_unites_and_parts_them(path: Path) -> None:
    records = ["h:ada-by p1", "s:ada-by p1 m1", "t:ada-by m1"]
    assert people_of(path, enumerate(records)) == "aaa"
    assert people_of(path, enumerate([records[0], "s:ada-by", records[2]])) == "abc"
    assert people_of(path, enumerate(records)) == "aaa"


def test_a_job_goes_with_its_contact_to_another_person(harness: Harness) -> None:
    """Who waited for an answer about one person asks for another one."""
    ada, twin = harness.person("Ada"), harness.person("Ada")
    harness.ask()
    assert (harness.state(ada), harness.state(twin)) == ("sent", "waiting")
    harness.crm.records[twin].identity = replace(
        harness.crm.records[twin].identity, first_name="Bo", linkedin_url=f"{WEB}bo-example"
    )
    harness.crm.edit(twin, "work_phone", "1")
    harness.ask()
    harness.verify()
    harness.dispatch()
    assert harness.state(twin) == "sent"
    assert harness.fake.submitted[-1].requests[0].identity.first_name == "Bo"


# --- pulls ------------------------------------------------------------------------------------


def page(*ids: str, stale: int = 0, blocked: tuple[str, ...] = ()) -> Page:
    found = tuple(
        Contact(ref=ref(one), revision="1", identity=Identity(), blocked=dict.fromkeys(blocked, "opted_out"))  # type: ignore[arg-type]
        for one in ids
    )
    return Page(contacts=found, cursor={"after": ids[-1]}, stale=stale)


def ref(contact_id: str, connection: str = "crm", object_: str = "contacts") -> ContactRef:
    return ContactRef(connection=connection, object=object_, id=contact_id)


def test_a_pull_says_where_it_stands_and_how_many_came(path: Path) -> None:
    def pull(tx: Tx) -> None:
        run = contacts.start_run(tx, "people", now=NOW)
        assert contacts.store_page(tx, "people", run, page("1", "2", stale=3), [EMAIL], now=NOW) == 2
        assert contacts.store_page(tx, "people", run, page("3", stale=1), [EMAIL], now=NOW) == 1
        assert [tuple(row)[2:6] for row in tx.rows("runs_latest")] == [(NOW, None, 3, 4)]

    Ledger.change(place_of(path), pull)


def test_reasons_in_another_order_are_no_news(path: Path) -> None:
    def pull(tx: Tx) -> None:
        run = contacts.start_run(tx, "people", now=NOW)
        contacts.store_page(tx, "people", run, page("1", blocked=(EMAIL, PHONE)), [EMAIL, PHONE], now=NOW)
        decisions.settle(tx, cases.changed(tx, 10, now=NOW), now=NOW)
        contacts.store_page(tx, "people", run, page("1", blocked=(PHONE, EMAIL)), [PHONE, EMAIL], now=NOW)
        assert cases.changed(tx, 10, now=NOW) == []

    Ledger.change(place_of(path), pull)


# --- jobs -------------------------------------------------------------------------------------


def test_a_job_is_known_by_its_contact_and_its_field(path: Path) -> None:
    def plan(tx: Tx) -> list[int]:
        run = contacts.start_run(tx, "people", now=NOW)
        contacts.store_page(tx, "people", run, page("1", "2"), [EMAIL], now=NOW)
        made = [queue_all(tx, EMAIL, "ann", now=NOW)]
        contacts.store_page(tx, "people", run, page("1", "2", blocked=(EMAIL,)), [EMAIL], now=NOW)
        return [*made, queue_all(tx, EMAIL, "bob", now=NOW)]

    assert Ledger.change(place_of(path), plan) == [2, 0]
    assert ask(path, "SELECT provider FROM job") == [("ann",), ("ann",)]


@pytest.fixture
def two(build: Build) -> Harness:
    """Two providers in turn for the e-mail."""
    return build(
        providers=[FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")],
        fields={EMAIL: ["ann", "bob"]},
    )


def test_who_could_not_be_asked_about_is_tried_anew_from_the_first_provider_on(two: Harness) -> None:
    nobody = two.crm.add(Identity(first_name="Ada"))
    for _ in two.fakes:
        two.ask()
        two.verify()
    assert two.job(nobody) == ("done", "rejected_input")
    two.crm.records[nobody].identity = Identity(first_name="Ada", last_name="Test", domain="acme.example.com")
    two.crm.edit(nobody, "work_phone", "1")
    two.pull()
    two.plan()
    assert two.sql("SELECT state, round, provider, note FROM job") == [
        ("queued", 1, "ann", "needs a LinkedIn profile, or a last name")
    ]


@pytest.mark.parametrize("reason", ["suppressed", "human_value_kept"])
def test_what_is_blocked_still_or_was_cleared_by_a_person_is_not_opened_by_a_change(
    harness: Harness, reason: str
) -> None:
    ada = harness.person("Ada")
    if reason == "suppressed":
        harness.crm.records[ada].blocked = {EMAIL: "opted_out"}
    else:
        harness.pull()
        harness.plan()
        harness.crm.edit(ada, "email", "typed@acme.example.com")
    harness.ask()
    assert harness.job(ada) == ("done", reason)
    harness.crm.edit(ada, "email", "")
    harness.crm.records[ada].identity = Identity(first_name="Ada", last_name="Byron", domain="acme.example.com")
    harness.crm.records[ada].blocked = {EMAIL: "opted_out"} if reason == "suppressed" else {}
    harness.pull()
    harness.plan()
    assert harness.job(ada) == ("done", "suppressed"), "a person wants it blank, and nobody is asked"


def test_the_operators_own_domain_is_no_employer(harness: Harness) -> None:
    people = harness.settings.people.model_copy(update={"own_domains": ("www.Acme.example",)})
    harness.reopen(replace(harness.settings, people=people))
    for name in ("Ada Stone", "Bea Brook"):
        first, last = name.split()
        harness.crm.add(Identity(first_name=first, last_name=last, domain="mail.acme.example"))
    harness.crm.add(Identity(first_name="Cleo", last_name="Birch", domain="birch.example"))
    harness.pull()
    known = [row[0] for row in harness.sql("SELECT identity FROM contact ORDER BY id")]
    assert ["acme" in identity for identity in known] == [False, False, False]
    assert "birch.example" in known[2]


def test_a_mailbox_of_hundreds_is_nobodys_and_everybody_is_recognised(harness: Harness) -> None:
    for number in range(230):
        harness.crm.add(Identity(first_name=f"Ada{number}", last_name="Stone"), email="stone.family@acme.example")
    harness.pull()
    people = [row[0] for row in harness.sql("SELECT person FROM contact")]
    assert len(set(people)) == 230
    assert None not in people
    newest = harness.sql("SELECT vague FROM contact ORDER BY id DESC LIMIT 1")[0][0]
    assert newest == '["stone.family@acme.example"]'


def test_who_is_no_longer_the_one_who_opted_out_is_asked_about(harness: Harness) -> None:
    profile = "https://www.linkedin.com/in/ada-stone"
    ada = Identity(first_name="Ada", last_name="Stone", linkedin_url=profile)
    one, other = harness.crm.add(ada), harness.crm.add(ada)
    harness.crm.block(one, EMAIL, "opted_out")
    harness.pull()
    harness.plan()
    assert harness.job(other) == ("done", "suppressed")
    harness.crm.rename(one, Identity(first_name="Bea", last_name="Brook"))
    harness.pull()
    harness.plan()
    assert harness.state(other) == "queued"


def test_an_answer_that_names_another_record_waits_for_a_person(harness: Harness) -> None:
    """Two records of one name at one employer: what names the profile of one is not the other's by its name."""
    profile = "https://www.linkedin.com/in/ada-stone"
    ada = Identity(first_name="Ada", last_name="Stone", company="Acme", domain="acme.example")
    harness.crm.add(replace(ada, linkedin_url=profile), email="ada@private.example")
    other = harness.crm.add(ada)
    harness.finds(other, EMAIL, "ada.stone@acme.example")
    harness.fake.says[other, EMAIL] = (replace(ada, linkedin_url=profile),)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.job(other)[0] == "review"
    assert harness.note(other) == "the answer names the profile or the mailbox of crm/contacts/501"


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(("sharing", "unravelled"), [(0, False), (1, True), (MANY - 1, True), (MANY, False)])
def test_who_hangs_together_by_too_many_records_is_not_unravelled(
    tables: Tables, sharing: int, unravelled: bool
) -> None:
    """Of a mailbox that fifty others hold it is not asked who else hangs together with each of them."""
    for n in range(1, sharing + 3):
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **EMPTY)
    for contact, key in ((n, 1) for n in range(1, sharing + 2)):
        tables.add(Where("person_key", "contact_id"), contact, key=key)
    for contact in (sharing + 1, sharing + 2):
        tables.add(Where("person_key", "contact_id"), contact, key=2)
    near = set(range(2, sharing + 2))
    found = [row["id"] for row in tables.read(people._component, 1, near)]
    assert found == [1, *sorted(near), *([sharing + 2] if unravelled else [])]


def test_what_the_mapped_properties_hold_is_the_persons_too() -> None:
    """Beside what the record says itself: the first mailbox stays the first one, and nothing comes twice."""

    def stored(values: dict[Field, str], **known: Any) -> Identity:
        contact = Contact(ref=ref("1"), revision=str(known), identity=Identity(**known), values=values)
        return contacts._identity(contact, Rules())

    mail, phone = "ada@acme.test", "+447700900001"
    other, second = "ada@birch.test", "+447700900002"
    assert stored({EMAIL: mail}).email == mail
    assert stored({EMAIL: mail}).emails == ()
    both = stored({EMAIL: mail}, email=other)
    assert (both.email, both.emails) == (other, (mail,))
    assert stored({EMAIL: mail}, email=other, emails=(mail,)).emails == (mail,)
    assert stored({PHONE: phone}).phones == (phone,)
    assert stored({PHONE: phone}, phones=(second, phone)).phones == (second, phone)
    assert stored({EMAIL: mail}, phones=(second,)).phones == (second,), "a mailbox is no number"
    assert stored({EMAIL: mail, PHONE: phone}) == stored({}, email=mail, phones=(phone,))
    assert stored({}, phones=(second,)).phones == (second,)


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize("stored", [{"person": "1"}, {"vague": '["x"]'}, {"namesakes": 1}])
def test_whose_other_records_are_gone_is_alone_once_it_changes(tables: Tables, stored: dict[str, Any]) -> None:
    """A person's other record was erased, say: what it was known by is nowhere any more."""
    given = {**EMPTY, "connection": "crm", "object": "contacts", "sync": "people", "person": "2", "revision": 1}
    tables.add(Where("contact", "ext_id"), "7", id=2, **{**given, "pulled_at": 1.0, **stored})
    ada = Contact(ref=ref("7"), revision="2", identity=Identity(first_name="Ada", last_name="By"))
    tables.write(contacts.store, "people", ada, (EMAIL,), now=NOW)
    assert tables.rows(Where("contact", "id"), ["person", "vague", "namesakes"]) == {2: [("2", "[]", 0)]}


ADA, ADAM, BEA = (
    Identity(first_name=first, last_name=last, domain="acme.example")
    for first, last in (("Ada", "Stone"), ("Ada", "Stone-Lake"), ("Bea", "Brook"))
)
MORE, OTHER = "more is known of who is who", "the record is about somebody else now"


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(
    ("job", "more", "other"),
    [
        ({"state": "queued"}, None, "answered"),
        ({"state": "waiting"}, None, "answered"),
        ({"state": "waiting", "behind": 9}, "queued", "answered"),
        ({"state": "sending"}, None, None),
        ({"state": "sent"}, None, None),
        ({"state": "in_doubt"}, None, None),
        ({"state": "answered"}, None, None),
        ({"state": "review"}, "answered", "answered"),
        ({"state": "accepted"}, "answered", "answered"),
        ({"state": "writing"}, None, None),
        ({"state": "done", "reason": Reason.MISMATCH}, "answered", "answered"),
        ({"state": "done", "reason": Reason.MISMATCH, "field": "phone"}, None, None),
        ({"state": "done", "reason": Reason.NOT_FOUND}, None, "answered"),
        ({"state": "done", "reason": Reason.DUPLICATE}, None, "answered"),
        ({"state": "done", "reason": Reason.WRITTEN}, None, None),
    ],
)
def test_what_is_decided_on_once_more_when_a_record_says_something_else(
    tables: Tables, job: dict[str, Any], more: str | None, other: str | None
) -> None:
    """It lacks an e-mail. What is under way outside goes on as it is."""
    for now_is, target, note in ((ADAM, more, MORE), (BEA, other, OTHER)):
        for table in ("job", "contact", "person_key"):
            tables.raw.execute(f"DELETE FROM {table}")
        tables.add(Where("contact", "id"), 1, **{**EMPTY, "lacks": '["email"]', "person": "1"})
        tables.add(Where("job", "id"), 1, contact_id=1, **{"field": "email", "sync": "a", "note": "before", **job})
        tables.write(people.recognise, [people.News(1, now_is, ADA)], now=NOW)
        told = tables.raw.execute("SELECT state, note FROM job").fetchone()
        assert tuple(told) == ((job["state"], "before") if target is None else (target, note)), note
        became = tables.raw.execute("SELECT became_at FROM contact").fetchone()[0]
        assert became == (NOW if now_is is BEA else 0.0)


# --- keys, by hand ----------------------------------------------------------------------------------


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize("at_once", [True, False])
def test_a_record_that_a_page_tells_twice_is_stored_twice_in_this_order(tables: Tables, at_once: bool) -> None:
    """On the way it was somebody else's: what was asked before does not count."""
    ref = ContactRef(connection="crm", object="contacts", id="1")
    told = [
        Contact(ref=ref, revision=str(n), identity=Identity(first_name=first, last_name=last), values={})
        for n, (first, last) in enumerate((("Ada", "Stone"), ("Bea", "Brook"), ("Ada", "Stone")))
    ]
    for page in [told] if at_once else [[one] for one in told]:
        tables.write(contacts.store_all, "people", page, (Field.EMAIL,), now=NOW)
    [row] = tables.raw.execute("SELECT became_at, identity FROM contact").fetchall()
    assert (row[0], load_identity(row[1]).first_name) == (NOW, "Ada")


@pytest.mark.sqlite  # rows are put there by hand
def test_of_contacts_that_were_read_those_count_of_whom_nothing_has_changed(tables: Tables) -> None:
    for n in range(1, 5):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "lacks": '["email"]', "pulled_at": 1.0, "planned": 1})
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="waiting")
    before = tables.read(cases.read, [1, 2, 3, 4], Rules())
    assert tables.read(cases.still, before) == {1, 2, 3, 4}
    for statement in (
        "UPDATE contact SET learned = 'x' WHERE id = 1",
        "UPDATE job SET note = 'x' WHERE id = 2",
        "DELETE FROM job WHERE id = 3",
    ):
        tables.raw.execute(statement)
    tables.raw.commit()
    assert tables.read(cases.still, before) == {4}


@pytest.mark.sqlite  # rows are put there by hand
def test_who_shares_a_key_with_whom(tables: Tables) -> None:
    for n in range(1, 6):
        tables.add(
            Where("contact", "id"), n, **{**EMPTY, "person": str(n) if n != 5 else "1", "namesakes": int(n == 3)}
        )
    for contact, key in ((1, 7), (2, 7), (3, 7), (2, 8), (4, 9), (5, 9)):
        tables.add(Where("person_key", "contact_id"), contact, key=key)

    def rows(name: str, **given: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in tables.read(lambda tx: tx.rows(name, **given))]

    assert sorted(rows("keys_of_contacts", ids="[2, 4]")) == [(2, 7), (2, 8), (4, 9)]
    assert sorted(rows("holders_of_keys", keys="[7, 8, 99]")) == [(7, 1, 3), (8, 2, 2)]
    assert sorted(rows("contacts_of_keys", keys="[7, 8]", limit=9)) == [(1,), (2,), (3,)]
    assert len(rows("contacts_of_keys", keys="[7, 8]", limit=2)) == 2
    assert sorted(rows("contacts_by_shared_key", ids="[1]", limit=9)) == [(1,), (2,), (3,)]
    assert sorted(rows("contacts_by_shared_key", ids="[1, 5]", limit=9)) == [(1,), (2,), (3,), (4,), (5,)]
    assert len(rows("contacts_by_shared_key", ids="[1]", limit=2)) == 2
    assert sorted(rows("contacts_not_alone", ids="[1, 2, 3, 4, 5]")) == [(3,), (5,)]
    assert rows("contacts_not_alone", ids="[1, 2]") == []
    assert sorted(rows("cases_holders", keys="[8, 9]")) == [
        (8, 2, "2", tuple_ref(tables, 2)), (9, 4, "4", tuple_ref(tables, 4)), (9, 5, "1", tuple_ref(tables, 5)),
    ]  # fmt: skip
    tables.write(lambda tx: tx.many("keys_forget", [(7, 2)]))
    tables.write(lambda tx: tx.run("keys_add", rows="[[7, 4], [7, 1]]"))
    assert sorted(rows("keys_of_contacts", ids="[1, 2, 4]")) == [(1, 7), (2, 8), (4, 7), (4, 9)]


def tuple_ref(tables: Tables, contact: int) -> str:
    found = tables.raw.execute("SELECT connection, object, ext_id FROM contact WHERE id = ?", [contact]).fetchone()
    return "/".join(found)


@pytest.mark.sqlite  # rows are put there by hand
def test_when_records_of_a_person_are_decided_on_anew(tables: Tables) -> None:
    people = {1: "p", 2: "p", 3: "q", 4: "q", 5: "r"}
    for n, person in people.items():
        tables.add(Where("contact", "id"), n, **EMPTY, person=person, planned=1)
        tables.add(Where("job", "id"), n, contact_id=n, field="email", person=person, asked_person="x")

    def replanned(name: str, **given: Any) -> list[int]:
        tables.raw.execute("UPDATE contact SET planned = 1")
        tables.raw.commit()
        tables.write(lambda tx: tx.run(name, **given))
        return [id_ for id_, rows in sorted(tables.rows(Where("contact", "id"), ["planned"]).items()) if rows == [(0,)]]

    assert replanned("kin_replan", people='["p", "r"]') == [1, 2, 5]
    assert replanned("kin_of_contacts_replan", ids="[1, 5]") == [2]
    assert replanned("contacts_replan", ids="[2, 3]") == [2, 3]
    tables.write(lambda tx: tx.many("jobs_person", [("s", 1), ("p", 2)]))
    told = {id_: rows[0] for id_, rows in tables.rows(Where("job", "id"), ["person", "asked_person"]).items()}
    assert (told[1], told[2], told[3]) == (("s", ""), ("p", "x"), ("q", "x"))
    assert replanned("contacts_replan", ids="[]") == []
    tables.raw.execute("UPDATE contact SET planned = 0")
    tables.raw.commit()
    tables.write(decisions.settle, [1, 3], now=NOW)
    assert [
        id_ for id_, rows in sorted(tables.rows(Where("contact", "id"), ["planned"]).items()) if rows == [(1,)]
    ] == [1, 3]


@pytest.mark.sqlite  # rows are put there by hand
def test_whose_time_has_come_and_was_decided_on_waits_no_more(tables: Tables) -> None:
    for n in (1, 2, 3):
        tables.add(Where("contact", "id"), n, **EMPTY)
        tables.add(Where("job", "id"), n + 10, contact_id=n, field="email")
        tables.add(Where("again", "job_id"), n + 10, at=NOW + (n == 2))
    tables.write(decisions.settle, [1, 2], now=NOW)
    assert tables.rows(Where("again", "job_id"), ["at"]) == {12: [(NOW + 1,)], 13: [(NOW,)]}
    tables.write(decisions.again, [(12, 5.0), (11, 6.0)])
    assert tables.rows(Where("again", "job_id"), ["at"]) == {11: [(6.0,)], 12: [(5.0,)], 13: [(NOW,)]}
