"""Contacts in the ledger: who is whom, what a pull leaves behind, and which jobs a plan may open again."""

from pathlib import Path

import pytest

from syncd.contract.model import Contact, ContactRef, Identity, Page
from syncd.ledger import contacts
from syncd.ledger.store import Ledger, Tx
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .house import EMAIL, ONE_BY_ONE, PHONE, House

NOW = 1_790_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Ledger.open(tmp_path / "ledger.db").close()
    return tmp_path / "ledger.db"


# --- who is whom ------------------------------------------------------------------------------


def somebody(known: str) -> Identity:
    """`p1 n2`: the first profile, under the second name."""
    parts = known.split()
    profile = next((f"https://www.linkedin.com/in/{one}" for one in parts if one[0] == "p"), None)
    name = next((one for one in parts if one[0] == "n"), None)
    return Identity(first_name=name, last_name=name and "Test", company=name and "Acme", linkedin_url=profile)


@pytest.mark.parametrize(
    ("seen", "people"),
    [
        (["p1 n1", "n1", "p1"], "aaa"),
        (["n1", "p1 n1", "p1"], "aaa"),
        (["p1", "p1 n1", "n1"], "aaa"),
        (["p1", "n1", "p1 n1", "n1", "p1"], "abaaa"),
        (["p1 n1", "p1 n2", "n2", "n1"], "aaaa"),
        (["p1 n1", "p2 n2", "n1", "n2"], "abab"),
        (["p1 n1", "p2 n1", "n1", "p1", "p2"], "ab-ab"),
        (["p1 n1", "n1", "p2 n1", "n1"], "aab-"),
        (["n1", "p1 n1", "p2 n1", "n1"], "aab-"),
        (["p1 n1", "p2 n1", "p1 n1", "n1", "p3 n1", "n1", "p3"], "aba-c-c"),
        (["n1", "n2", "n1"], "aba"),
        (["", ""], "--"),
    ],
    ids=lambda one: ", ".join(one) if isinstance(one, list) else None,
)
def test_a_person_is_a_profile_or_a_name_that_only_one_profile_has(path: Path, seen: list[str], people: str) -> None:
    """Letters stand for people, in order of their appearance; `-` for somebody who can't be told."""
    letters: dict[str | None, str] = {None: "-"}
    told = ""
    for known in seen:
        person = Ledger.change(path, contacts.recognise, somebody(known))
        told += letters.setdefault(person, "abc"[len(letters) - 1] if len(letters) < 4 else "?")
    assert told == people


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
        assert contacts.cursor(tx, "people") is None
        run = contacts.start_run(tx, "people", now=NOW)
        assert contacts.store_page(tx, "people", run, page("1", "2", stale=3), [EMAIL], now=NOW) == 2
        assert contacts.store_page(tx, "people", run, page("3", stale=1), [EMAIL], now=NOW) == 1
        assert contacts.cursor(tx, "people") == {"after": "3"}
        assert [tuple(row)[2:6] for row in tx.rows("runs_latest")] == [(NOW, None, 3, 4)]

    Ledger.change(path, pull)


def test_reasons_in_another_order_are_no_news(path: Path) -> None:
    def pull(tx: Tx) -> None:
        run = contacts.start_run(tx, "people", now=NOW)
        contacts.store_page(tx, "people", run, page("1", blocked=(EMAIL, PHONE)), [EMAIL, PHONE], now=NOW)
        contacts.apply_plan(tx, contacts.unplanned(tx, 10), [], now=NOW)
        contacts.store_page(tx, "people", run, page("1", blocked=(PHONE, EMAIL)), [PHONE, EMAIL], now=NOW)
        assert contacts.unplanned(tx, 10) == []

    Ledger.change(path, pull)


# --- jobs -------------------------------------------------------------------------------------


def test_a_job_is_known_by_its_contact_and_its_field(path: Path) -> None:
    def plan(tx: Tx) -> list[bool]:
        run = contacts.start_run(tx, "people", now=NOW)
        contacts.store_page(tx, "people", run, page("1", "2"), [EMAIL], now=NOW)
        (one, _) = contacts.unplanned(tx, 10)
        made = [contacts.NewJob(contact=one, field=EMAIL, provider="ann")] * 2
        assert contacts.apply_plan(tx, [one], made, now=NOW) == 1, "the second is the first"
        asked = [
            (ref("1"), EMAIL), (ref("1"), PHONE), (ref("2"), EMAIL), (ref("3"), EMAIL),
            (ref("1", connection="other"), EMAIL), (ref("1", object_="leads"), EMAIL),
        ]  # fmt: skip
        return [contacts.has_job(tx, *each) for each in asked]

    assert Ledger.change(path, plan) == [True, False, False, False, False, False]


@pytest.fixture
def two(build: Build) -> House:
    """Two providers in turn for the e-mail."""
    return build(
        providers=[FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")],
        fields={EMAIL: ["ann", "bob"]},
    )


def test_who_could_not_be_asked_about_is_tried_anew_from_the_first_provider_on(two: House) -> None:
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
        ("queued", 1, "ann", "the contact has changed since")
    ]


@pytest.mark.parametrize("reason", ["suppressed", "human_value_kept"])
def test_what_is_blocked_still_or_done_for_good_is_not_opened_by_a_change(house: House, reason: str) -> None:
    ada = house.person("Ada")
    if reason == "suppressed":
        house.crm.records[ada].blocked = {EMAIL: "opted_out"}
    else:
        house.pull()
        house.plan()
        house.crm.edit(ada, "email", "typed@acme.example.com")
    house.ask()
    assert house.job(ada) == ("done", reason)
    history = house.sql("SELECT count(*) FROM event WHERE job_id = 1")
    house.crm.edit(ada, "email", "")
    house.crm.records[ada].identity = Identity(first_name="Ada", last_name="Byron", domain="acme.example.com")
    house.crm.records[ada].blocked = {EMAIL: "opted_out"} if reason == "suppressed" else {}
    house.pull()
    house.plan()
    assert house.sql("SELECT count(*) FROM event WHERE job_id = 1") == history
