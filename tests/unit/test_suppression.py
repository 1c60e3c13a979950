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
from syncd.ledger.submissions import Item, Stale
from syncd.people import suppression
from syncd.people.suppression import Kind, Sign
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import STRANGER

from .conftest import Build
from .house import EMAIL, PHONE, SECRET, House

MAIL = "ada@acme.example.com"
ADA = "https://www.linkedin.com/in/ada"
SUPPRESSED = ("done", "suppressed")
CONFIG = """\
ledger: {{ path: {path} }}
callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{secret}"] }}
connections:
  crm: {{ connector: hubspot, access_token: {{ credential: hubspot-token }} }}
  ann: {{ connector: zeliq, api_key: {{ credential: zeliq-key }} }}
syncs: [{{ name: people, crm: crm, object: contacts, every: 15m, fields: {{ email: {{ providers: [ann] }} }} }}]
"""


def suppress(house: House, *values: str, reason: str = "asked us to") -> int:
    signs = [suppression.read(value) for value in values]
    work = house.ledger.write(suppressions.add, signs, reason=reason, by="ada", now=house.clock.now())
    return house.run(work)


def allow(house: House, value: str) -> None:
    found = house.run(house.ledger.read(suppressions.named, value))
    house.run(house.ledger.write(suppressions.remove, [one.digest for one in found]))


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
def test_nobody_on_it_is_asked_about(house: House, value: str) -> None:
    ada = house.crm.add(
        Identity(
            first_name="Ada", last_name="Test", domain="acme.example.com", linkedin_url=ADA,
            phones=("+442079460123",),
        ),
    )  # fmt: skip
    suppress(house, value)
    assert house.ask() == 0
    assert house.job(ada) == SUPPRESSED
    assert "on the suppression list by" in house.note(ada)
    assert "asked us to" in house.note(ada)


def test_others_are_asked_about(house: House) -> None:
    suppress(house, ADA, "other.example.com", "crm/contacts/502", MAIL)
    house.person("Bo")
    assert house.ask() == 2


@pytest.mark.parametrize("scope", OptOutScope)
def test_it_holds_for_all_records_of_the_person_in_all_crms(build: Build, scope: OptOutScope) -> None:
    """Whatever the scope of an opt-out that stands in a CRM."""
    house = build(second=FakeCrm("other", first=901), fields={EMAIL: ["ann"]})
    house.reopen(replace(house.settings, people=People(opt_out_scope=scope)))
    ada = house.person("Ada")
    other = house.crms["other"].add(Identity(first_name="Ada", last_name="Test", linkedin_url=ADA, emails=(MAIL,)))
    suppress(house, MAIL)
    assert house.ask() == 0
    assert (house.job(ada), house.job(other)) == (SUPPRESSED, SUPPRESSED)


def test_whoever_waits_is_decided_on_anew_and_again_when_it_is_taken_off(house: House) -> None:
    ada = house.person("Ada")
    house.pull()
    house.plan()
    assert house.state(ada) == "queued"
    suppress(house, "acme.example.com")
    house.plan()
    assert house.job(ada) == SUPPRESSED
    allow(house, "acme.example.com")
    house.plan()
    assert house.state(ada) == "queued"
    assert house.dispatch() == 2


def test_whoever_comes_on_it_after_the_plan_is_not_asked_about(house: House) -> None:
    """By a number: no index finds it, so nobody is decided on anew at once."""
    ada = house.crm.add(Identity(first_name="Ada", last_name="Test", linkedin_url=ADA, phones=("+442079460123",)))
    house.pull()
    house.plan()
    suppress(house, "+442079460123")
    assert house.dispatch() == 0
    assert house.job(ada) == SUPPRESSED


def test_whoever_comes_on_it_after_being_chosen_is_not_paid_for(house: House) -> None:
    """The transaction of the intent looks, too: a plan and a choice are old by then."""
    ada = house.person("Ada")
    house.pull()
    house.plan()
    [(job,)] = house.sql("SELECT id FROM job WHERE field = 'email'")
    told = Identity(first_name="Ada", last_name="Test")
    request = EnrichmentRequest(id="r1", ref=house.ref(ada), identity=told, fields=(EMAIL,))
    call = Submission(id="r1", requests=(request,), callback_url="")
    item = Item(request=request, jobs={EMAIL: job}, rounds={EMAIL: 0})
    values: dict[str, Any] = {
        "provider": "ann",
        "sync": "people",
        "reserve": {EMAIL: Decimal(1)},
        "limits": [],
        "deadline": 9e9,
    }
    suppress(house, ADA)
    with pytest.raises(Stale):
        house.run(house.ledger.write(submissions.intend, call, [item], **values, now=house.clock.now()))
    assert house.submissions() == []
    allow(house, ADA)
    house.run(house.ledger.write(submissions.intend, call, [item], **values, now=house.clock.now()))
    assert house.submissions() == ["intent"]


def test_an_answer_that_comes_later_is_kept_and_not_written(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.person("Ada")
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    suppress(house, ADA)
    house.answer_all()
    house.finish()
    assert (house.held(ada), house.job(ada)) == ("", SUPPRESSED)
    assert house.credits()["charged"] == 1
    allow(house, ADA)
    house.plan()
    house.finish()
    assert house.held(ada) == MAIL, "it was paid for, and may be written by now"
    assert len(house.submissions()) == 1


def test_whoever_comes_on_it_before_the_write_is_not_written(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.person("Ada")
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.verify()
    assert house.state(ada) == "accepted"
    suppress(house, ADA)
    house.clock.time += 60
    house.writeback()
    assert (house.held(ada), house.job(ada)) == ("", SUPPRESSED)


def test_what_the_crm_says_at_the_write_counts(build: Build) -> None:
    """A mailbox that a colleague has added since the last pull is the one that is on the list."""
    house = build(fields={PHONE: ["ann"]})
    ada = house.person("Ada")
    house.finds(ada, PHONE, "+442079460123")
    suppress(house, "ada@home.example.com")
    house.ask()
    house.answer_all()
    house.verify()
    record = house.crm.records[ada]
    record.identity = Identity(
        first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com", linkedin_url=ADA,
        emails=("ada@home.example.com",),
    )  # fmt: skip
    house.clock.time += 60
    house.writeback()
    assert (house.held(ada, "phone"), house.job(ada, PHONE)) == ("", SUPPRESSED)


@pytest.mark.parametrize("value", [MAIL, "acme.example.com"])
def test_a_mailbox_on_the_list_is_not_written_nor_anything_else_of_that_person(build: Build, value: str) -> None:
    house = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    ada = house.crm.add(Identity(first_name="Ada", last_name="Test", company="Acme", linkedin_url=ADA))
    house.finds(ada, EMAIL, MAIL)
    house.finds(ada, PHONE, "+442079460123")
    suppress(house, value)
    house.ask()
    house.answer_all()
    house.finish()
    assert (house.held(ada), house.held(ada, "phone")) == ("", "")
    assert (house.job(ada), house.job(ada, PHONE)) == (SUPPRESSED, SUPPRESSED)


def test_an_answer_about_somebody_else_puts_nobody_on_the_list(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.person("Ada")
    house.finds(ada, EMAIL, "zoltan@elsewhere.example.org")
    house.fake.says[ada, EMAIL] = (STRANGER,)
    suppress(house, "elsewhere.example.org")
    house.ask()
    house.answer_all()
    assert house.verify() == 1
    assert house.job(ada) == ("done", "identity_mismatch")


def test_a_renamed_connection_keeps_its_records_on_the_list(house: House) -> None:
    ada = house.person("Ada")
    suppress(house, "former/contacts/501")
    work = house.ledger.write(lambda tx: tx.run("former_name_add", old="former", new="crm"))
    house.run(work)
    assert house.ask() == 0
    assert house.job(ada) == SUPPRESSED


# --- commands -------------------------------------------------------------------------------------------


def command(house: House, *words: str) -> str:
    config = house.path.parent / "config.yaml"
    config.write_text(CONFIG.format(path=house.path, secret=SECRET), "utf-8")
    done = CliRunner().invoke(app, ["suppress", *words, "-c", str(config)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_commands_work_beside_a_daemon_and_keep_no_name(house: House) -> None:
    ada = house.person("Ada")
    assert "2 new on the list" in command(house, "add", "ada@home.example.com", ADA, "--reason", "by letter")
    listed = json.loads(command(house, "list", "--json"))
    assert {one["kind"]: one["reason"] for one in listed} == {"email": "by letter", "profile": "by letter"}
    profile = next(one for one in listed if one["kind"] == "profile")
    assert house.ask() == 0
    assert b"ada@home.example.com" not in house.path.read_bytes() + Path(f"{house.path}-wal").read_bytes()
    command(house, "remove", profile["id"], "ada@home.example.com")
    assert json.loads(command(house, "list", "--json")) == []
    house.plan()
    assert house.state(ada) == "queued"


def test_a_list_is_imported_line_by_line(house: House, tmp_path: Path) -> None:
    file = tmp_path / "optouts.csv"
    file.write_text(
        "name,Email,domain\nAda,ada@acme.example.com,\nBo,bo@,\n,,acme.example.com\nCy,cy@x.test,\n", "utf-8"
    )
    told = json.loads(command(house, "import", str(file), "--json"))
    assert told["counts"] == {"email": 2, "domain": 1}
    assert [one["line"] for one in told["unread"]] == [3]
    assert (told["new"], told["done"]) == (3, False)
    assert json.loads(command(house, "list", "--json")) == [], "without --yes it is only shown"
    command(house, "import", str(file), "--yes", "--reason", "unsubscribed")
    assert json.loads(command(house, "import", str(file), "--json"))["new"] == 0
    assert len(json.loads(command(house, "list", "--json"))) == 3


def test_a_single_column_needs_no_head(house: House, tmp_path: Path) -> None:
    file = tmp_path / "optouts.txt"
    file.write_text("ada@acme.example.com\nacme.example.com\n\nnobody\n", "utf-8")
    told = json.loads(command(house, "import", str(file), "--json"))
    assert told["counts"] == {"email": 1, "domain": 1}
    assert [one["line"] for one in told["unread"]] == [4]
