"""The suppression list: whoever is on it is never asked about and never written for, in any CRM."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from syncd.cli import app
from syncd.config.sections import OptOutScope, People
from syncd.contract.model import EnrichmentRequest, Identity, Submission
from syncd.ledger import submissions, suppressions
from syncd.ledger.results import dump_identity
from syncd.ledger.submissions import Item, Stale
from syncd.people import suppression
from syncd.people.suppression import Kind, Sign
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import STRANGER
from tests.places import all_bytes, in_words

from .by_hand import EMPTY, Tables, Where
from .conftest import Build
from .harness import EMAIL, PHONE, SECRET, Harness

MAIL = "ada@acme.example.com"
ADA = "https://www.linkedin.com/in/ada"
SUPPRESSED = ("done", "suppressed")
CONFIG = """\
ledger: {ledger}
callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{secret}"] }}
connections:
  crm: {{ connector: hubspot, access_token: {{ credential: hubspot-token }} }}
  ann: {{ connector: zeliq, api_key: {{ credential: zeliq-key }} }}
syncs: [{{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}]
"""


def suppress(harness: Harness, *values: str, reason: str = "asked us to") -> int:
    signs = [suppression.read(value) for value in values]
    work = harness.ledger.write(suppressions.add, signs, reason=reason, by="ada", now=harness.clock.now())
    return harness.run(work)


def allow(harness: Harness, value: str) -> None:
    found = harness.run(harness.ledger.read(suppressions.named, value))
    harness.run(harness.ledger.write(suppressions.remove, [one.digest for one in found]))


# --- one form for each value ----------------------------------------------------------------------------

FORMS = {
    " Ada@ACME.example.com": Sign(Kind.EMAIL, "ada@acme.example.com"),
    "mailto:ada@bücher.example": Sign(Kind.EMAIL, "ada@xn--bcher-kva.example"),
    "https://WWW.Acme.co.uk/team": Sign(Kind.DOMAIN, "acme.co.uk"),
    "@acme.co.uk": Sign(Kind.DOMAIN, "acme.co.uk"),
    "mail.acme.co.uk": Sign(Kind.DOMAIN, "mail.acme.co.uk"),
    "gmail.com": Sign(Kind.DOMAIN, "gmail.com"),
    "linkedin.com/in/Ada/": Sign(Kind.PROFILE, ADA),
    "+33 6 39 98 00 01": Sign(Kind.PHONE, "+33639980001"),
    "crm/contacts/501": Sign(Kind.RECORD, "crm/contacts/501"),
}


@pytest.mark.parametrize("raw", FORMS)
def test_a_value_is_read_in_its_one_form(raw: str) -> None:
    assert suppression.read(raw) == FORMS[raw]


@pytest.mark.parametrize("raw", ["", "Ada Stone", "co.uk", "ada@", "@", "+33", "linkedin.com/company/acme", "ada@acme"])
def test_what_identifies_nobody_is_refused_and_says_what_to_write(raw: str) -> None:
    with pytest.raises(ValueError, match="write "):
        suppression.read(raw)


def test_a_domain_stands_for_all_hosts_below_it_and_none_above() -> None:
    at_work = suppression.signs(Identity(email="ada@mail.eu.acme.co.uk", domain="shop.acme.co.uk"))
    hosts = {sign.text for sign in at_work if sign.kind is Kind.DOMAIN}
    assert hosts == {"mail.eu.acme.co.uk", "eu.acme.co.uk", "acme.co.uk", "shop.acme.co.uk"}


@given(st.text(max_size=40))
def test_any_text_is_a_sign_or_is_refused(raw: str) -> None:
    try:
        sign = suppression.read(raw)
    except ValueError:
        return
    assert suppression.read(sign.text, sign.kind) == sign, "the one form is read as itself"


@given(
    st.from_regex(r"[a-z][a-z0-9.+_-]{0,12}", fullmatch=True),
    st.sampled_from(["example.com", "mail.acme.co.uk", "bücher.example"]),
    st.booleans(),
    st.sampled_from(["", " ", "mailto:"]),
)
def test_a_mailbox_is_recognised_however_it_is_written(local: str, host: str, loud: bool, before: str) -> None:
    written = before + (f"{local}@{host}".upper() if loud else f"{local}@{host}")
    typed = suppression.read(f"{local}@{host}")
    assert typed in suppression.signs(Identity(emails=(written,))) & suppression.signs(Identity(email=written))


# --- whoever is on it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [ADA, "acme.example.com", "crm/contacts/501", "+44 20 7946 0123"])
def test_nobody_on_it_is_asked_about(harness: Harness, value: str) -> None:
    ada = harness.crm.add(
        Identity(
            first_name="Ada", last_name="Test", domain="acme.example.com", linkedin_url=ADA,
            phones=("+442079460123",),
        ),
    )  # fmt: skip
    suppress(harness, value)
    assert harness.ask() == 0
    assert harness.job(ada) == SUPPRESSED
    assert "on the suppression list by" in harness.note(ada)
    assert "asked us to" in harness.note(ada)


def test_others_are_asked_about(harness: Harness) -> None:
    suppress(harness, ADA, "other.example.com", "crm/contacts/502", MAIL)
    harness.person("Bo")
    assert harness.ask() == 2


@pytest.mark.parametrize("scope", OptOutScope)
def test_it_holds_for_all_records_of_the_person_in_all_crms(build: Build, scope: OptOutScope) -> None:
    """Whatever the scope of an opt-out that stands in a CRM."""
    harness = build(second=FakeCrm("other", first=901), fields={EMAIL: ["ann"]})
    harness.reopen(replace(harness.settings, people=People(opt_out_scope=scope)))
    ada = harness.person("Ada")
    other = harness.crms["other"].add(Identity(first_name="Ada", last_name="Test", linkedin_url=ADA, emails=(MAIL,)))
    suppress(harness, MAIL)
    assert harness.ask() == 0
    assert (harness.job(ada), harness.job(other)) == (SUPPRESSED, SUPPRESSED)


def test_whoever_waits_is_decided_on_anew_and_again_when_it_is_taken_off(harness: Harness) -> None:
    ada = harness.person("Ada")
    harness.pull()
    harness.plan()
    assert harness.state(ada) == "queued"
    suppress(harness, "acme.example.com")
    harness.plan()
    assert harness.job(ada) == SUPPRESSED
    allow(harness, "acme.example.com")
    harness.plan()
    assert harness.state(ada) == "queued"
    assert harness.dispatch() == 2


def test_whoever_comes_on_it_after_the_plan_is_not_asked_about(harness: Harness) -> None:
    """By a number: no index finds it, so nobody is decided on anew at once."""
    ada = harness.crm.add(Identity(first_name="Ada", last_name="Test", linkedin_url=ADA, phones=("+442079460123",)))
    harness.pull()
    harness.plan()
    suppress(harness, "+442079460123")
    assert harness.dispatch() == 0
    assert harness.job(ada) == SUPPRESSED


def test_whoever_comes_on_it_after_being_chosen_is_not_paid_for(harness: Harness) -> None:
    """The transaction of the intent looks, too: a plan and a choice are old by then."""
    ada = harness.person("Ada")
    harness.pull()
    harness.plan()
    [(job,)] = harness.sql("SELECT id FROM job WHERE field = 'email'")
    told = Identity(first_name="Ada", last_name="Test")
    request = EnrichmentRequest(id="r1", ref=harness.ref(ada), identity=told, fields=(EMAIL,))
    call = Submission(id="r1", requests=(request,), callback_url="")
    item = Item(request=request, jobs={EMAIL: job}, rounds={EMAIL: 0})
    values: dict[str, Any] = {
        "provider": "ann",
        "sync": "people",
        "reserve": {EMAIL: Decimal(1)},
        "limits": [],
        "deadline": 9e9,
    }
    suppress(harness, ADA)
    with pytest.raises(Stale):
        harness.run(harness.ledger.write(submissions.intend, call, [item], **values, now=harness.clock.now()))
    assert harness.submissions() == []
    allow(harness, ADA)
    harness.run(harness.ledger.write(submissions.intend, call, [item], **values, now=harness.clock.now()))
    assert harness.submissions() == ["intent"]


def test_an_answer_that_comes_later_is_kept_and_not_written(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    suppress(harness, ADA)
    harness.answer_all()
    harness.finish()
    assert (harness.held(ada), harness.job(ada)) == ("", SUPPRESSED)
    assert harness.credits()["charged"] == 1
    allow(harness, ADA)
    harness.plan()
    harness.finish()
    assert harness.held(ada) == MAIL, "it was paid for, and may be written by now"
    assert len(harness.submissions()) == 1


def test_whoever_comes_on_it_before_the_write_is_not_written(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.state(ada) == "accepted"
    suppress(harness, ADA)
    harness.clock.time += 60
    harness.writeback()
    assert (harness.held(ada), harness.job(ada)) == ("", SUPPRESSED)


def test_what_the_crm_says_at_the_write_counts(build: Build) -> None:
    """A mailbox that a colleague has added since the last pull is the one that is on the list."""
    harness = build(fields={PHONE: ["ann"]})
    ada = harness.person("Ada")
    harness.finds(ada, PHONE, "+442079460123")
    suppress(harness, "ada@home.example.com")
    harness.ask()
    harness.answer_all()
    harness.verify()
    record = harness.crm.records[ada]
    record.identity = Identity(
        first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com", linkedin_url=ADA,
        emails=("ada@home.example.com",),
    )  # fmt: skip
    harness.clock.time += 60
    harness.writeback()
    assert (harness.held(ada, "phone"), harness.job(ada, PHONE)) == ("", SUPPRESSED)


@pytest.mark.parametrize("value", [MAIL, "acme.example.com"])
def test_a_mailbox_on_the_list_is_not_written_nor_anything_else_of_that_person(build: Build, value: str) -> None:
    harness = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = harness.crm.add(Identity(first_name="Ada", last_name="Test", company="Acme", linkedin_url=ADA))
    harness.finds(ada, EMAIL, MAIL)
    harness.finds(ada, PHONE, "+442079460123")
    suppress(harness, value)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert (harness.held(ada), harness.held(ada, "phone")) == ("", "")
    assert (harness.job(ada), harness.job(ada, PHONE)) == (SUPPRESSED, SUPPRESSED)


def test_an_answer_about_somebody_else_puts_nobody_on_the_list(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, "zoltan@elsewhere.example.org")
    harness.fake.says[ada, EMAIL] = (STRANGER,)
    suppress(harness, "elsewhere.example.org")
    harness.ask()
    harness.answer_all()
    assert harness.verify() == 1
    assert harness.job(ada) == ("done", "identity_mismatch")


def test_a_renamed_connection_keeps_its_records_on_the_list(harness: Harness) -> None:
    ada = harness.person("Ada")
    suppress(harness, "former/contacts/501")
    work = harness.ledger.write(lambda tx: tx.run("former_name_add", old="former", new="crm"))
    harness.run(work)
    assert harness.ask() == 0
    assert harness.job(ada) == SUPPRESSED


# --- commands -------------------------------------------------------------------------------------------


def command(harness: Harness, *words: str) -> str:
    config = harness.path.parent / "config.yaml"
    config.write_text(CONFIG.format(ledger=in_words(harness.path), secret=SECRET), "utf-8")
    done = CliRunner().invoke(app, ["suppress", *words, "-c", str(config)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_commands_work_beside_a_daemon_and_keep_no_name(harness: Harness) -> None:
    ada = harness.person("Ada")
    assert "2 new on the list" in command(harness, "add", "ada@home.example.com", ADA, "--reason", "by letter")
    listed = json.loads(command(harness, "list", "--json"))
    assert {one["kind"]: one["reason"] for one in listed} == {"email": "by letter", "profile": "by letter"}
    profile = next(one for one in listed if one["kind"] == "profile")
    assert harness.ask() == 0
    assert b"ada@home.example.com" not in all_bytes(harness.path)
    command(harness, "remove", profile["id"], "ada@home.example.com")
    assert json.loads(command(harness, "list", "--json")) == []
    harness.plan()
    assert harness.state(ada) == "queued"


def test_a_list_is_imported_line_by_line(harness: Harness, tmp_path: Path) -> None:
    file = tmp_path / "optouts.csv"
    file.write_text(
        "name,Email,domain\nAda,ada@acme.example.com,\nBo,bo@,\n,,acme.example.com\nCy,cy@x.test,\n", "utf-8"
    )
    told = json.loads(command(harness, "import", str(file), "--json"))
    assert told["counts"] == {"email": 2, "domain": 1}
    assert [one["line"] for one in told["unread"]] == [3]
    assert (told["new"], told["done"]) == (3, False)
    assert json.loads(command(harness, "list", "--json")) == [], "without --yes it is only shown"
    command(harness, "import", str(file), "--yes", "--reason", "unsubscribed")
    assert json.loads(command(harness, "import", str(file), "--json"))["new"] == 0
    assert len(json.loads(command(harness, "list", "--json"))) == 3


def test_a_single_column_needs_no_head(harness: Harness, tmp_path: Path) -> None:
    file = tmp_path / "optouts.txt"
    file.write_text("ada@acme.example.com\nacme.example.com\n\nnobody\n", "utf-8")
    told = json.loads(command(harness, "import", str(file), "--json"))
    assert told["counts"] == {"email": 1, "domain": 1}
    assert [one["line"] for one in told["unread"]] == [4]


@pytest.mark.sqlite  # rows are put there by hand
def test_an_entry_is_meant_by_its_value_or_by_the_beginning_of_its_id(tables: Tables) -> None:
    """Six letters of it at least: less may mean another one."""
    assert tables.read(suppressions.named, MAIL) == []
    signs = [suppression.read(value) for value in (MAIL, "birch.example")]
    assert tables.write(suppressions.add, signs, reason="", by="ada", now=1.0) == 2
    for digest in ("abcdef01", "abcdef02", "abcdee01"):
        tables.add(Where("suppression", "digest"), digest, kind="email", at=2.0, forgotten=0)

    def named(text: str) -> list[str]:
        return [one.digest for one in tables.read(suppressions.named, text)]

    assert (named("abcdef"), named(" ABCDEF01 "), named("abcdef03")) == (["abcdef01", "abcdef02"], ["abcdef01"], [])
    assert (named("abcde"), named("abcdee")) == ([], ["abcdee01"])
    [mine] = named(MAIL)
    assert named(mine[:8]) == [mine]


@pytest.mark.sqlite  # rows are put there by hand
def test_who_is_taken_from_the_list_is_decided_on_anew_and_others_stay_on_it(tables: Tables) -> None:
    for digest in ("a", "b", "c"):
        tables.add(Where("suppression", "digest"), digest, kind="email", forgotten=0)
    jobs = (("done", "suppressed"), ("done", "opted_out"), ("queued", ""))
    for n, (state, reason) in enumerate(jobs, 1):
        tables.add(Where("contact", "id"), n, **EMPTY, planned=1)
        tables.add(Where("job", "id"), n, contact_id=n, field="email", state=state, reason=reason)
    assert tables.write(suppressions.remove, ["nobody"]) == 0
    assert tables.raw.execute("SELECT id FROM contact WHERE planned = 0").fetchall() == []
    assert tables.write(suppressions.remove, ["a", "c", "nobody"]) == 2
    assert [*tables.rows(Where("suppression", "digest"))] == ["b"]
    assert tables.raw.execute("SELECT id FROM contact WHERE planned = 0").fetchall() == [(1,)]


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize("listed", [MAIL, "https://www.linkedin.com/in/ada-learned", "nobody@acme.example"])
def test_a_profile_that_an_answer_brought_tells_somebody_beside_what_the_crm_says(tables: Tables, listed: str) -> None:
    identity = dump_identity(Identity(first_name="Ada", email=MAIL, emails=(MAIL,)))
    profile = "https://www.linkedin.com/in/ada-learned"
    given = {**EMPTY, "connection": "crm", "object": "contacts", "ext_id": "1", "identity": identity, "person": "1"}
    tables.add(Where("contact", "id"), 1, **given, learned=profile)
    sign = suppression.read(listed)
    tables.write(suppressions.add, [sign], reason="asked us", by="ops", now=1.0)
    assert set(tables.read(suppressions.of_contacts, [1, 2])) == ({1} if listed in (MAIL, profile) else set())
    texts = {one.text for one in tables.read(suppressions.signs_of, [1])}
    assert texts >= {suppression.read(text).text for text in (MAIL, profile, "crm/contacts/1")}


@pytest.mark.sqlite  # rows are put there by hand
def test_whom_an_entry_concerns_with_the_persons_other_records(tables: Tables) -> None:
    people = {1: "p", 2: "p", 3: "q", 4: "r", 5: "q"}
    for n, person in people.items():
        given = {**EMPTY, "connection": "crm", "object": "o", "planned": 1, "person": person}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given)
        tables.write(lambda tx, n=n: tx.run("words_set", rows=json.dumps([[n, f"name{n} acme"]])))
    for contact, key in ((1, 7), (4, 8), (3, 9)):
        tables.add(Where("person_key", "contact_id"), contact, key=key)

    def replanned(name: str, **given: Any) -> list[int]:
        tables.raw.execute("UPDATE contact SET planned = 1")
        tables.raw.commit()
        tables.write(lambda tx: tx.run(name, **given))
        return [row[0] for row in tables.raw.execute("SELECT id FROM contact WHERE planned = 0 ORDER BY id")]

    assert replanned("suppression_replan_keys", keys="[7, 8]") == [1, 2, 4]
    assert replanned("suppression_replan_words", words="name5") == [3, 5]
    where = {"connection": "crm", "object": "o", "ext_id": "e2"}
    assert replanned("suppression_replan_record", **where) == [1, 2]
    for other in ({"connection": "x"}, {"object": "x"}, {"ext_id": "x"}):
        assert replanned("suppression_replan_record", **{**where, **other}) == []
    records = tables.read(lambda tx: [(row[0], row[1]) for row in tx.rows("suppression_records", ids="[1, 3]")])
    assert sorted(records) == [(1, 1), (1, 2), (3, 3), (3, 5)]
    persons = tables.read(lambda tx: [row[0] for row in tx.rows("forget_contacts_of_persons", ids="[1, 5]")])
    assert persons == [1, 2, 3, 5]


@pytest.mark.sqlite  # rows are put there by hand
def test_what_was_forgotten_stays_so_and_otherwise_the_first_reason_stands(tables: Tables) -> None:
    sign = suppression.read(MAIL)

    def add(reason: str, *, forgotten: bool) -> list[tuple[Any, ...]]:
        tables.write(suppressions.add, [sign], reason=reason, by=reason, now=1.0, forgotten=forgotten)
        [row] = tables.raw.execute("SELECT reason, added_by, forgotten FROM suppression").fetchall()
        return [tuple(row)]

    kinds = json.dumps(["email", "domain"])

    def known(forgotten: int) -> list[str]:
        return [
            row[0] for row in tables.read(lambda tx: tx.rows("suppression_kinds", kinds=kinds, forgotten=forgotten))
        ]

    assert add("one", forgotten=False) == [("one", "one", 0)]
    assert (known(0), known(1)) == (["email"], [])
    assert add("two", forgotten=False) == [("one", "one", 0)]
    assert add("three", forgotten=True) == [("one", "one", 1)]
    assert add("four", forgotten=False) == [("one", "one", 1)]
    assert (known(0), known(1)) == (["email"], ["email"])
    assert tables.read(suppressions.new, [sign, suppression.read("birch.example")]) == 1
    tables.write(suppressions.add, [suppression.read("birch.example")], reason="five", by="five", now=2.0)
    assert [one.forgotten for one in tables.read(suppressions.entries)] == [True, False], "nobody was erased by that"
    [(key, digest), _] = tables.raw.execute("SELECT key, digest FROM suppression_key, suppression").fetchall()
    assert (len(key), len(bytes.fromhex(digest)), len(tables.read(suppressions.entries)[0].id)) == (32, 16, 12)


@pytest.mark.sqlite  # rows are put there by hand
def test_the_list_is_told_the_oldest_first(tables: Tables) -> None:
    for digest, at in (("b", 2.0), ("a", 2.0), ("c", 1.0)):
        tables.add(Where("suppression", "digest"), digest, kind="email", at=at, forgotten=0)
    assert [one.digest for one in tables.read(suppressions.entries)] == ["c", "a", "b"]
