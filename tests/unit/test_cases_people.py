"""The right person's value, or none: what happens to records, from the CRM and back, case by case.

What texts and names mean is tested where they are read (`test_people_*`); here it is the whole pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from syncd.config import People
from syncd.config.sections import InDoubtPolicy, OnDoubt, OptOutScope, Prefer
from syncd.contract.errors import Garbled, InDoubt
from syncd.contract.model import Author, Field, Identity, Outcome
from syncd.contract.normal import tidy
from syncd.ledger import reviews, submissions
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import STRANGER, FakeProvider, said

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness

IN = "https://www.linkedin.com/in/"
ADA = Identity(first_name="Ada", last_name="Byron", company="Acme", domain="acme.example.com")
MAIL, MOBILE, FIXED = "ada@acme.example.com", "+447700900123", "+442079460123"


def asked(harness: Harness, name: str | None = None) -> list[str]:
    """The contacts that a provider was asked about, in the order of the calls."""
    return [r.ref.id for s in harness.fakes[name or harness.fake.name].submitted for r in s.requests]


def told(harness: Harness, number: int = -1) -> Identity:
    """What a provider was told in a call."""
    return harness.fake.submitted[number].requests[0].identity


def two_crms(build: Build, field: Field = EMAIL, **more: Any) -> tuple[Harness, FakeCrm]:
    """A harness with a second CRM, and one provider for one field."""
    other = FakeCrm("crm2", first=901)
    more.setdefault("fields", {field: ["ann"]})
    return build(second=other, **more), other


def rounds(harness: Harness, number: int = 4) -> None:
    """Everything takes its course, whoever waits behind whom."""
    for _ in range(number):
        harness.ask()
        for name in harness.fakes:
            harness.answer_all(name)
        harness.finish()


def knows(harness: Harness, contacts: Mapping[str, str], field: Field = EMAIL, name: str | None = None) -> None:
    for contact, value in contacts.items():
        harness.finds(contact, field, value, by=name)


# --- records ----------------------------------------------------------------------------------


HOSTS = (
    "sfr.fr", "hotmail.fr", "gmx.at", "bluewin.ch", "libero.it", "comcast.net", "btinternet.com", "mail.ru",
    "naver.com", "uol.com.br", "skynet.be", "online.no",
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("crms", [1, 2])
def test_p1_p2_two_people_of_one_name_at_a_mailbox_provider_are_two(build: Build, host: str, crms: int) -> None:
    harness, second = two_crms(build, PHONE)
    jean = Identity(first_name="Jean", last_name="Martin", domain=host)
    one = harness.crm.add(jean, email=f"jmartin75@{host}")
    other = (harness.crm if crms == 1 else second).add(jean, email=f"jean.martin.lyon@{host}")
    knows(harness, {one: MOBILE}, PHONE)
    harness.ask()
    assert (asked(harness), [told(harness, n).domain for n in (0, 1)]) == ([one, other], [None, None])
    rounds(harness)
    assert (asked(harness), harness.held(one, "phone"), harness.held(other, "phone")) == ([one, other], MOBILE, "")


def test_p2_neighbour_two_people_of_one_name_at_a_company_of_its_own_may_be_one(build: Build) -> None:
    """Across two CRMs it is one person; the phone is bought once."""
    harness, other = two_crms(build, PHONE)
    one, two = harness.crm.add(ADA), other.add(ADA)
    knows(harness, {one: MOBILE}, PHONE)
    rounds(harness)
    assert (asked(harness), harness.held(one, "phone"), harness.held(two, "phone")) == ([one], MOBILE, MOBILE)


PLACEHOLDERS = [
    "[not provided]",
    "Self-employed",
    "Freelance",
    "Indépendant",
    "N/A",
    "-",
    "Confidential",
    "Student",
    "Unknown",
]


@pytest.mark.parametrize("company", [*PLACEHOLDERS, "[[Unknown]]"])
def test_p3_p4_a_placeholder_is_no_employer(build: Build, company: str) -> None:
    harness, other = two_crms(build, PHONE)
    sam = Identity(first_name="Sam", last_name="Miller", company=company)
    one = harness.crm.add(replace(sam, country="GB"), email="sam.miller@mail.example")
    two = other.add(replace(sam, country="FR"), email="s.miller@post.example")
    knows(harness, {one: MOBILE}, PHONE)
    rounds(harness)
    assert (asked(harness), harness.held(one, "phone"), harness.held(two, "phone")) == ([one, two], MOBILE, "")


def test_p4_a_profile_does_not_lend_itself_to_a_namesake_without_employer(build: Build) -> None:
    harness, other = two_crms(build)
    john = Identity(first_name="John", last_name="Smith", company="Self-employed")
    one, two = harness.crm.add(replace(john, linkedin_url=f"{IN}john-smith-77")), other.add(john)
    knows(harness, {one: "john@smith.example"})
    rounds(harness)
    assert harness.held(two) == ""


@pytest.mark.parametrize("handle", ["me", "edit", "null", "undefined", "unavailable", "username"])
def test_p5_a_profile_of_nobody_unites_nobody(build: Build, handle: str) -> None:
    harness, other = two_crms(build)
    nora = Identity(first_name="Nora", last_name="Alder", company="Alder Ltd", linkedin_url=f"{IN}{handle}/")
    tom = Identity(first_name="Tom", last_name="Birch", company="Birch Ltd", linkedin_url=f"{IN}{handle}/")
    one, two = harness.crm.add(nora), other.add(tom)
    knows(harness, {one: "nora@alder.example"})
    rounds(harness)
    assert (asked(harness), harness.held(two)) == ([one, two], "")
    assert [told(harness, n).linkedin_url for n in (0, 1)] == [None, None]


def test_p5_neighbour_a_real_profile_under_two_names_is_told_to_nobody(build: Build) -> None:
    harness, other = two_crms(build)
    nora = Identity(first_name="Nora", last_name="Alder", company="Alder", linkedin_url=f"{IN}nora-alder")
    one, two = harness.crm.add(nora), other.add(replace(nora, first_name="Tom", last_name="Birch", company="Birch"))
    knows(harness, {one: "nora@alder.example"})
    rounds(harness)
    assert (asked(harness), harness.held(two)) == ([one, two], "")
    assert [told(harness, n).linkedin_url for n in (0, 1)] == [None, None]


@pytest.mark.parametrize(
    "sites",
    [
        ("https://pl.linkedin.com/company/alpha", "https://pl.linkedin.com/company/beta"),
        ("https://fr-fr.facebook.com/x", "https://fr-fr.facebook.com/y"),
        ("https://sites.google.com/view/y", "https://sites.google.com/view/z"),
        ("https://linktr.ee/z", "https://linktr.ee/w"),
    ],
)
def test_p6_a_host_that_many_share_is_no_employer(build: Build, sites: tuple[str, str]) -> None:
    harness, other = two_crms(build)
    one = harness.crm.add(Identity(first_name="Eva", last_name="Nowak", domain=sites[0]))
    two = other.add(Identity(first_name="Eva", last_name="Nowak", domain=sites[1]))
    knows(harness, {one: "eva@alpha.example"})
    rounds(harness)
    assert harness.held(two) == ""
    assert all(told(harness, n).domain is None for n in range(len(harness.fake.submitted)))


SAME_NAMES = [
    ({"first_name": "Sean", "last_name": "O\u2019Brien"}, {"first_name": "Sean", "last_name": "O'Brien"}),
    ({"first_name": "Luz", "last_name": "García"}, {"first_name": "Luz", "last_name": "Garcia"}),
    ({"first_name": "Jean\u2011Luc", "last_name": "Roy"}, {"first_name": "Jean-Luc", "last_name": "Roy"}),
    ({"company": "Acme Inc"}, {"company": "Acme, Inc."}),
    ({"company": "Müller & Söhne"}, {"company": "Mueller und Soehne"}),
]


@pytest.mark.parametrize(("ours", "theirs"), SAME_NAMES)
def test_p7_one_person_in_two_spellings_is_bought_once(
    build: Build, ours: dict[str, str], theirs: dict[str, str]
) -> None:
    base = replace(ADA, domain=None) if "company" in ours else ADA
    harness, other = two_crms(build)
    one, two = harness.crm.add(replace(base, **ours)), other.add(replace(base, **theirs))  # type: ignore[arg-type]
    knows(harness, {one: MAIL})
    rounds(harness)
    assert (asked(harness), harness.held(one), harness.held(two)) == ([one], MAIL, MAIL)


def test_p7_neighbour_another_surname_that_looks_alike_is_another_person(build: Build) -> None:
    harness, other = two_crms(build)
    one, two = harness.crm.add(replace(ADA, last_name="O'Brien")), other.add(replace(ADA, last_name="O'Bryan-Hall"))
    knows(harness, {one: MAIL})
    rounds(harness)
    assert (asked(harness), harness.held(two)) == ([one, two], "")


@pytest.mark.parametrize("second", [{"domain": None}, {"company": None}])
def test_p8_company_and_domain_are_both_keys_of_the_employer(build: Build, second: dict[str, None]) -> None:
    harness, other = two_crms(build)
    one, two = harness.crm.add(ADA), other.add(replace(ADA, **second))  # type: ignore[arg-type]
    knows(harness, {one: MAIL})
    rounds(harness)
    assert (asked(harness), harness.held(one), harness.held(two)) == ([one], MAIL, MAIL)


def test_p9_the_same_work_mailbox_in_two_crms_is_one_person(build: Build) -> None:
    harness, other = two_crms(build, PHONE)
    clara = Identity(first_name="Clara", last_name="Vance")
    one = harness.crm.add(replace(clara, company="Acme", domain="acme.example"), email="clara.vance@acme.example")
    two = other.add(clara, email="Clara.Vance@acme.example")
    knows(harness, {one: MOBILE, two: "+447700900999"}, PHONE)
    rounds(harness)
    assert (asked(harness), harness.held(one, "phone"), harness.held(two, "phone")) == ([one], MOBILE, MOBILE)


def test_p10_two_waterfalls_in_other_orders_buy_once(build: Build) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bea")]
    harness, other = two_crms(build, providers=fakes, fields={EMAIL: ["ann", "bea"]})
    first, second = harness.settings.syncs
    turned = {EMAIL: replace(second.fields[EMAIL], providers=("bea", "ann"))}
    harness.reopen(replace(harness.settings, syncs=(first, replace(second, fields=turned))))
    who = replace(ADA, linkedin_url=f"{IN}ada-byron")
    one, two = harness.crm.add(who), other.add(who)
    for name in harness.fakes:
        knows(harness, {one: MAIL, two: MAIL}, name=name)
    rounds(harness)
    assert len(asked(harness, "ann")) + len(asked(harness, "bea")) == 1
    assert (harness.held(one), harness.held(two), harness.credits()["charged"]) == (MAIL, MAIL, 1)


def test_p11_a_not_found_is_shared_only_where_the_provider_was_told_as_much(build: Build) -> None:
    ways = {"mailbox": ("email",), "profile": ("linkedin_url",)}
    harness, other = two_crms(
        build, PHONE, providers=[FakeProvider("ann", capabilities=ONE_BY_ONE, ways=ways)], fields={PHONE: ["ann"]}
    )
    one = harness.crm.add(ADA, email="ada.private@mail.example")
    two = other.add(replace(ADA, linkedin_url=f"{IN}ada-byron", emails=(MAIL,)), email=MAIL)
    knows(harness, {two: MOBILE}, PHONE)
    rounds(harness)
    assert (asked(harness), harness.held(two, "phone")) == ([one, two], MOBILE)


def test_p11_neighbour_a_not_found_to_all_that_is_known_is_shared(build: Build) -> None:
    harness, other = two_crms(build)
    one, two = (
        harness.crm.add(replace(ADA, linkedin_url=f"{IN}ada-byron", company=None)),
        other.add(replace(ADA, linkedin_url=f"{IN}ada-byron", company=None, domain=None)),
    )
    rounds(harness)
    assert (asked(harness), harness.job(two)) == ([one], ("done", "not_found"))


@pytest.mark.parametrize("reason", ["opted_out", "enrichment_opt_out", "processing_opt_out"])
@pytest.mark.parametrize("scope", list(OptOutScope))
def test_p12_p13_an_opt_out_is_the_persons(build: Build, reason: str, scope: OptOutScope) -> None:
    harness, other = two_crms(build)
    harness.reopen(replace(harness.settings, people=People(opt_out_scope=scope)))
    who = replace(ADA, linkedin_url=f"{IN}ada-byron")
    one, two = harness.crm.add(who), other.add(who)
    harness.crm.records[one].blocked = {EMAIL: reason}
    knows(harness, {two: MAIL})
    rounds(harness)
    alone = scope is OptOutScope.PERSON
    assert (asked(harness), harness.held(two)) == (([], "") if alone else ([two], MAIL))
    assert harness.job(one) == ("done", "suppressed")


@pytest.mark.parametrize("when", ["queued", "asked", "found"])
def test_p12_who_opts_out_meanwhile_is_left_alone_at_the_next_step(build: Build, when: str) -> None:
    harness, other = two_crms(build)
    who = replace(ADA, linkedin_url=f"{IN}ada-byron")
    two = other.add(who)
    knows(harness, {two: MAIL})
    harness.pull()
    harness.plan()
    if when != "queued":
        harness.dispatch()
    if when == "found":
        harness.answer_all()
        harness.verify()
    one = harness.crm.add(who)
    harness.crm.records[one].blocked = {EMAIL: "opted_out"}
    rounds(harness)
    assert (asked(harness), harness.held(two)) == ([] if when == "queued" else [two], "")
    assert harness.job(two) == ("done", "suppressed")


def test_p13_neighbour_a_clearing_by_a_person_speaks_of_that_record_alone(build: Build) -> None:
    harness, other = two_crms(build)
    who = replace(ADA, linkedin_url=f"{IN}ada-byron")
    one, two = harness.crm.add(who), other.add(who)
    harness.crm.records[one].blocked = {EMAIL: "cleared_by_person"}
    knows(harness, {two: MAIL})
    rounds(harness)
    assert (harness.held(one), harness.held(two)) == ("", MAIL)


class NeedsMail(FakeProvider):
    """Looks a phone up by the e-mail alone."""

    def lacks(self, request: Any) -> str | None:
        return None if request.identity.email else "needs an e-mail address"


def test_p14_the_mapped_mailbox_is_told_where_the_usual_property_is_blank(build: Build) -> None:
    harness = build(providers=[NeedsMail("ann", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann"], PHONE: ["ann"]})
    policy = replace(harness.sync.fields[EMAIL], property="work_phone", also=())  # a property like another
    harness.reopen(
        replace(harness.settings, syncs=(replace(harness.sync, fields={**harness.sync.fields, EMAIL: policy}),))
    )
    ada = harness.crm.add(ADA, work_phone=MAIL)
    knows(harness, {ada: MOBILE}, PHONE)
    rounds(harness)
    assert (asked(harness), told(harness).email, harness.held(ada, "phone")) == ([ada], MAIL, MOBILE)


def test_p15_who_becomes_somebody_else_while_waiting_is_asked_about_as_who_they_are(build: Build) -> None:
    harness = build(fields={PHONE: ["ann"]})
    one, two = harness.crm.add(ADA), harness.crm.add(ADA)
    knows(harness, {one: MOBILE, two: "+447700900456"}, PHONE)
    harness.ask()
    assert (asked(harness), harness.state(two, PHONE)) == ([one], "waiting")
    harness.crm.records[two].identity = replace(ADA, first_name="Grace", last_name="Hopper")
    harness.crm.edit(two, "work_phone", "1")
    rounds(harness)
    assert asked(harness) == [one, two]
    assert (told(harness).first_name, harness.held(two, "phone")) == ("Grace", "+447700900456")


@pytest.mark.parametrize("when", ["asked", "answered", "accepted"])
def test_p15_neighbour_who_becomes_somebody_else_gets_nothing_of_the_former_person(build: Build, when: str) -> None:
    harness = build(fields={PHONE: ["ann"]})
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MOBILE}, PHONE)
    harness.ask()
    if when != "asked":
        harness.answer_all()
    if when == "accepted":
        harness.verify()
    harness.clock.time += 5
    harness.crm.records[ada].identity = replace(ADA, first_name="Grace", last_name="Hopper")
    harness.crm.edit(ada, "work_phone", "1")
    harness.pull()
    harness.answer_all()
    harness.finish()
    assert harness.held(ada, "phone") == ""
    knows(harness, {ada: "+447700900456"}, PHONE)
    harness.clock.time += 5
    rounds(harness)
    assert (asked(harness), harness.held(ada, "phone")) == ([ada, ada], "+447700900456")


def test_p15_neighbour_a_change_that_no_pull_has_seen_is_seen_before_the_write(build: Build) -> None:
    harness = build(fields={PHONE: ["ann"]})
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MOBILE}, PHONE)
    harness.ask()
    harness.answer_all()
    harness.crm.records[ada].identity = replace(ADA, first_name="Grace", last_name="Hopper")
    harness.finish()
    assert harness.held(ada, "phone") == ""
    assert harness.state(ada, PHONE) != "done"


# --- answers ----------------------------------------------------------------------------------

OTHER, DOUBTFUL, SAME = ("done", "identity_mismatch"), ("review", ""), ("done", "written")


def answered(build: Build, contact: Identity, answer: Identity, email: str | None = None) -> tuple[Harness, str]:
    """One contact, and an answer with a value that speaks of somebody."""
    field = PHONE if email else EMAIL
    harness = build(fields={field: ["ann"]})
    who = harness.crm.add(contact, **({"email": email} if email else {}))
    value = MOBILE if email else MAIL
    knows(harness, {who: value}, field)
    harness.fake.says[who, field] = (answer,)
    harness.ask()
    harness.answer_all()
    harness.finish()
    return harness, who


def outcome(build: Build, contact: Identity, answer: Identity, email: str | None = None) -> tuple[str, str]:
    harness, who = answered(build, contact, answer, email)
    field = PHONE if email else EMAIL
    state = harness.job(who, field)
    held = harness.held(who, "phone" if email else "email")
    assert bool(held) == (state == SAME), "only what is surely theirs is written"
    return state


def named(first: str, last: str, **more: Any) -> Identity:
    return Identity(first_name=first, last_name=last, domain="acme.example.com", **more)


@pytest.mark.parametrize(
    ("contact", "answer", "expected"),
    [
        ("Paul Durand", "Maria Garcia", OTHER),
        ("Paul Durand", "Paul Durand", SAME),
        ("Paul Durand", "Durand Paul", SAME),
    ],
)
def test_a1_one_profile_and_another_name_is_another_person(
    build: Build, contact: str, answer: str, expected: tuple[str, str]
) -> None:
    profile = f"{IN}maria-garcia-1"
    ours, theirs = (named(*name.split(), linkedin_url=profile) for name in (contact, answer))
    assert outcome(build, ours, theirs) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("van den Berg", "van Dijk", OTHER),
        ("de Vries", "de Boer", OTHER),
        ("Le Goff", "Le Roux", OTHER),
        ("Al-Sayed", "Al-Harbi", OTHER),
        ("da Silva", "da Costa", OTHER),
        ("von Stein", "von Hagen", OTHER),
        ("O'Brien", "Owens", OTHER),
        ("D'Angelo", "Duval", OTHER),
        ("L'Heureux", "Lopez", OTHER),
        ("Smith Jr.", "Smith Sr.", OTHER),
        ("van den Berg", "Vandenberg", SAME),
        ("O'Brien", "OBrien", SAME),
        ("O'Brien", "Obrien", SAME),
        ("de la Cruz", "Cruz", SAME),
        ("Aagaard", "Ågård", SAME),
    ],
)
def test_a2_a3_a4_surnames(build: Build, ours: str, theirs: str, expected: tuple[str, str]) -> None:
    assert outcome(build, named("Jan", ours), named("Jan", theirs)) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (("Bob", "Stone"), ("Robert", "Stone"), SAME),
        (("Bill", "Stone"), ("William", "Stone"), SAME),
        (("Liz", "Stone"), ("Elizabeth", "Stone"), SAME),
        (("Mohammed", "Stone"), ("Muhammad", "Stone"), SAME),
        (("Aleksandr", "Stone"), ("Alexander", "Stone"), SAME),
        (("Manuel", "Stone"), ("Emmanuel", "Stone"), SAME),
        (("Åse", "Nygård"), ("Aase", "Nygaard"), SAME),
        (("Zhang", "Min"), ("Min", "Zhang"), SAME),
        (("Bob", "Stone"), ("Carl", "Stone"), OTHER),
    ],
)
def test_a4_a5_a6_first_names(
    build: Build, ours: tuple[str, str], theirs: tuple[str, str], expected: tuple[str, str]
) -> None:
    assert outcome(build, named(*ours), named(*theirs)) == expected


MARY = replace(ADA, first_name="Mary", last_name="Jones")
DOUBTS = {
    "A7 another handle": (ADA, {"linkedin_url": f"{IN}lea-old-12ab"}, {"linkedin_url": f"{IN}lea-new"}),
    "A8 another domain": (replace(ADA, company=None), {"domain": "regional.co.uk"}, {"domain": "regional.com"}),
    "A8 a changed surname": (MARY, {"last_name": "Jones"}, {"last_name": "Brown"}),
}


@pytest.mark.parametrize(("base", "ours", "theirs"), DOUBTS.values(), ids=DOUBTS)
def test_a7_a8_what_may_be_theirs_is_kept_for_a_person(
    build: Build, base: Identity, ours: dict[str, str], theirs: dict[str, str]
) -> None:
    assert outcome(build, replace(base, **ours), replace(base, **theirs)) == DOUBTFUL  # type: ignore[arg-type]


def test_a8_neighbour_where_the_operator_accepts_doubts_it_is_written(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, on_doubt=OnDoubt.ACCEPT),)))
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MAIL})
    harness.fake.says[ada, EMAIL] = (replace(ADA, domain="regional.example", company=None),)
    rounds(harness, 1)
    assert (harness.job(ada), harness.held(ada)) == (SAME, MAIL)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("andr%C3%A9-dupont-1", "andre%CC%81-dupont-1", SAME),
        ("andré-dupont-1", "andr%c3%a9-dupont-1/", SAME),
        ("andr%C3%A9-dupont-1", "andr%C3%A9-dupont-2", DOUBTFUL),
    ],
)
def test_a9_a_handle_in_another_encoding_is_the_same(
    build: Build, ours: str, theirs: str, expected: tuple[str, str]
) -> None:
    contact = Identity(first_name="André", last_name="Dupont", linkedin_url=f"{IN}{ours}")
    answer = tidy(replace(contact, linkedin_url=f"{IN}{theirs}"))
    assert outcome(build, contact, answer) == expected


@pytest.mark.parametrize(
    ("mailbox", "expected"), [("a.byron@acme.example.com", DOUBTFUL), ("Ada@Acme.example.com", SAME)]
)
def test_a10_another_mailbox_of_the_same_name_and_employer_is_doubtful(
    build: Build, mailbox: str, expected: tuple[str, str]
) -> None:
    assert outcome(build, ADA, replace(ADA, email=mailbox), email=MAIL) == expected


def test_a11_after_its_last_word_an_unsigned_call_takes_no_other(build: Build) -> None:
    unsigned = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, signed=False))
    harness = build(providers=[unsigned], fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.ask()
    [call] = unsigned.submitted
    harness.call_back(call)
    harness.verify()
    assert harness.job(ada) == ("done", "not_found")
    knows(harness, {ada: "x@y.example"})
    harness.call_back(call)
    harness.finish()
    assert (harness.job(ada), harness.held(ada)) == (("done", "not_found"), "")
    assert harness.sql("SELECT state FROM delivery ORDER BY id") == [("applied",), ("surplus",)]


def test_a11_neighbour_also_a_call_that_said_what_another_one_had_said_takes_no_other(build: Build) -> None:
    """A call in doubt was made once more; both say that nobody was found, which is kept once."""
    unsigned = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, signed=False))
    unsigned.refusals.append(InDoubt("the line was cut"))
    harness = build(providers=[unsigned], fields={EMAIL: ["ann"]}, in_doubt=InDoubtPolicy.RESEND_ONCE)
    ada = harness.crm.add(ADA)
    harness.ask()
    harness.clock.time += 2 * DAY
    harness.sweep()
    harness.verify()
    harness.dispatch()
    first, second = unsigned.submitted
    harness.call_back(second)
    harness.call_back(first)
    harness.verify()
    charged = harness.credits()["charged"]
    knows(harness, {ada: "x@y.example"})
    harness.call_back(first)
    harness.finish()
    assert (harness.job(ada), harness.credits()["charged"]) == (("done", "not_found"), charged)
    assert harness.sql("SELECT state FROM delivery ORDER BY id") == [("applied",), ("applied",), ("surplus",)]


def test_a11_neighbour_whom_a_record_is_about_since_vouches_for_no_answer(build: Build) -> None:
    """What is known of a contact is held against an answer without a signature as long as it is who was asked about."""
    unsigned = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, signed=False))
    harness = build(providers=[unsigned], fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.ask()
    [call] = unsigned.submitted

    def known() -> Identity:
        wanted = [submissions.Wanted(call.id, known=True)]
        return harness.run(harness.ledger.read(submissions.load_many, wanted))[call.id].requests[0].known

    for name, expected in (("Augusta Ada", "Byron"), ("Bo", None)):
        harness.clock.time += 1000
        harness.crm.rename(ada, replace(ADA, first_name=name))
        harness.pull()
        assert known().last_name == expected
    assert known() == Identity()


@pytest.mark.parametrize("charged", [None, Decimal(0)])
def test_a11_neighbour_a_provider_that_failed_may_still_find_them(build: Build, charged: Decimal | None) -> None:
    unsigned = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, signed=False))
    harness = build(providers=[unsigned], fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.ask()
    [call] = unsigned.submitted
    failure = {"id": call.requests[0].id, "field": EMAIL, "outcome": Outcome.FAILED, "candidates": []}
    harness.call_back(call, said([failure], charged=charged))
    for value in (MAIL, "x@y.example"):
        knows(harness, {ada: value})
        harness.call_back(call)
        harness.finish()
        assert (harness.job(ada), harness.held(ada)) == (SAME, MAIL)
    assert harness.sql("SELECT state FROM delivery ORDER BY id") == [("applied",), ("applied",), ("surplus",)]


def test_a11_neighbour_an_answer_that_names_nobody_is_doubtful(build: Build) -> None:
    assert outcome(build, ADA, Identity()) == DOUBTFUL


def test_a12_what_was_paid_for_and_can_not_be_read_is_no_not_found(build: Build) -> None:
    class Odd(FakeProvider):
        def parse(self, delivery: Any, submission: Any) -> Any:
            raise Garbled("charged, and nothing could be read", charged=Decimal(10))

    harness = build(providers=[Odd("ann", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert (harness.state(ada), harness.tally("paid_answers_set_aside")) == ("sent", 1)
    assert harness.dispatch() == 0
    harness.fakes["ann"] = harness.fake = FakeProvider("ann", capabilities=ONE_BY_ONE)
    knows(harness, {ada: MAIL})
    harness.reopen()
    harness.recover()
    harness.finish()
    assert harness.job(ada)[0] in {"sent", "done"}


def test_a13_a_last_word_that_leaves_most_of_a_bulk_out_is_fetched_first(build: Build) -> None:
    bulk = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, batch=5))
    harness = build(providers=[bulk, FakeProvider("bea", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann", "bea"]})
    people = [harness.person(name) for name in ("Ada", "Bo", "Cy", "Di", "Ed")]
    knows(harness, {one: f"{one}@acme.example.com" for one in people}, name="ann")
    harness.ask()
    [call] = bulk.submitted
    whole = json.loads(bulk.body(call))
    harness.call_back(call, json.dumps({**whole, "results": whole["results"][:1]}).encode())
    harness.finish()
    harness.dispatch("bea")
    assert [harness.state(one) for one in people] == ["done", *["sent"] * 4]
    bulk.finished.add(call.id)
    harness.sweep()
    harness.finish()
    assert [harness.job(one) for one in people] == [SAME] * 5
    assert (asked(harness, "bea"), harness.credits()["charged"]) == ([], 5)


def failed(harness: Harness) -> bytes:
    request = harness.fake.submitted[-1].requests[0]
    return said([{"id": request.id, "field": "email", "outcome": Outcome.FAILED}], charged=Decimal(0))


def test_a14_what_the_provider_failed_at_is_asked_again_soon(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.ask()
    harness.call_back(harness.fake.submitted[-1], failed(harness))
    harness.finish()
    assert harness.state(ada) == "waiting"
    knows(harness, {ada: MAIL})
    harness.clock.time += 900
    harness.sweep()
    rounds(harness, 1)
    # Both calls are answered in the end, the one that had failed as well: what each charges counts.
    assert (asked(harness), harness.job(ada), harness.credits()["charged"]) == ([ada, ada], SAME, 2)


def test_a14_neighbour_who_fails_for_a_day_is_undetermined_and_asked_again_after_another(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.ask()
    for pause in (900.0, 3_600.0, 21_600.0, 0.0):
        harness.call_back(harness.fake.submitted[-1], failed(harness))
        harness.verify()
        before = len(asked(harness))
        for wait in (pause - 1, 1.0) if pause else (0.0,):
            assert len(asked(harness)) == before, "not a second sooner"
            harness.clock.time += wait
            harness.sweep()
            harness.dispatch()
    assert (asked(harness), harness.job(ada)) == ([ada] * 4, ("done", "undetermined"))
    knows(harness, {ada: MAIL})
    harness.clock.time += DAY + 1
    harness.sweep()
    rounds(harness, 1)
    assert (len(asked(harness)), harness.job(ada)) == (5, SAME)


def test_a15_the_last_word_settles_the_charge_that_was_not_told_before(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MAIL})
    harness.ask()
    [call] = harness.fake.submitted
    whole = json.loads(harness.fake.body(call))
    harness.call_back(call, json.dumps({**whole, "final": False, "charged": None}).encode())
    assert harness.credits() == {"reserved": 1, "charged": 0, "in_doubt": 0}
    harness.call_back(call)
    harness.finish()
    assert (harness.job(ada), harness.credits()) == (SAME, {"reserved": 0, "charged": 1, "in_doubt": 0})


# --- values -----------------------------------------------------------------------------------


def phones(build: Build, *values: str, **policy: Any) -> tuple[Harness, str]:
    """A contact whose phone was found, by a policy."""
    harness = build(fields={PHONE: ["ann"]})
    fields = {PHONE: replace(harness.sync.fields[PHONE], **policy)}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields=fields),)))
    ada = harness.crm.add(replace(ADA, country="GB"))
    harness.finds(ada, PHONE, *values)
    rounds(harness, 2)
    return harness, ada


FREE = {"also": ()}


@pytest.mark.parametrize(
    ("policy", "phone"),
    [
        ({}, MOBILE),
        ({"prefer": Prefer.FIRST}, FIXED),
        ({"kinds": frozenset({"fixed"})}, FIXED),
        ({"kinds": frozenset({"voip"})}, ""),
    ],
    ids=["mobile by default", "the first", "fixed lines only", "neither kind"],
)
def test_v6_of_several_numbers_the_preferred_one_is_written(build: Build, policy: dict[str, Any], phone: str) -> None:
    harness, ada = phones(build, FIXED, MOBILE, **policy)
    assert harness.held(ada, "phone") == phone
    assert phone or harness.job(ada, PHONE) == ("done", "low_quality")


def test_v6_mobiles_have_a_property_of_their_own_and_both_are_filled_by_one_purchase(build: Build) -> None:
    harness, ada = phones(build, FIXED, MOBILE, mobile="mobile", **FREE)
    assert (harness.held(ada, "phone"), harness.held(ada, "mobile"), len(asked(harness))) == (FIXED, MOBILE, 1)


@pytest.mark.parametrize(("found", "phone", "mobile"), [(MOBILE, "", MOBILE), (FIXED, FIXED, "")])
def test_v6_neighbour_one_number_goes_where_its_kind_belongs(build: Build, found: str, phone: str, mobile: str) -> None:
    harness, ada = phones(build, found, mobile="mobile", **FREE)
    assert (harness.held(ada, "phone"), harness.held(ada, "mobile")) == (phone, mobile)
    assert harness.job(ada, PHONE)[0] == "done"


@pytest.mark.parametrize(("reworded", "reason"), [("07700 900000", "written"), ("07700 900001", "human_value_kept")])
def test_v10_our_number_is_known_again_when_a_workflow_has_reworded_it(
    build: Build, reworded: str, reason: str
) -> None:
    harness = build(fields={PHONE: ["ann"]})
    ada = harness.crm.add(replace(ADA, country="GB"))
    knows(harness, {ada: "+447700900000"}, PHONE)
    harness.ask()
    harness.answer_all()
    harness.inbox()
    harness.verify()
    harness.crm.lose_answers = 1
    harness.clock.time += 60
    harness.writeback()
    harness.crm.edit(ada, "phone", reworded, by=Author.MACHINE)
    harness.clock.time += 600
    harness.writeback()
    assert harness.job(ada, PHONE) == ("done", reason)


# --- questions --------------------------------------------------------------------------------

FILLERS = [
    {"first_name": "Test", "last_name": "Test", "company": "Test"},
    {"first_name": "Unknown", "last_name": "Unknown"},
    {"first_name": "-", "last_name": "-", "company": "-"},
    {"first_name": ".", "last_name": "."},
    {"first_name": "N/A", "last_name": "N/A"},
    {"first_name": "ada@acme.example.com", "last_name": "ada@acme.example.com"},
    {"first_name": "[not provided]", "last_name": "[not provided]", "company": "Acme"},
]


@pytest.mark.parametrize("filler", FILLERS, ids=lambda one: str(one["first_name"]))
def test_q4_nothing_is_bought_for_fillers(build: Build, filler: dict[str, str]) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    nobody = harness.crm.add(Identity(**filler))  # type: ignore[arg-type]
    rounds(harness, 2)
    assert (asked(harness), harness.job(nobody)) == ([], ("done", "rejected_input"))
    assert harness.note(nobody)


NAMES_LIKE_FILLERS = [("Ada", "Test"), ("Jenny", "Null"), ("Na", "Li")]


def test_q4_neighbour_a_surname_that_looks_like_a_filler_is_asked_about(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    people = [harness.crm.add(replace(ADA, first_name=first, last_name=last)) for first, last in NAMES_LIKE_FILLERS]
    harness.ask()
    assert asked(harness) == people


BY_PROFILE_THEN_NAME = {"profile": ("linkedin_url",), "name": ("first_name", "last_name", "domain")}


@pytest.mark.parametrize("free", [True, False])
def test_q5_a_profile_that_nobody_knows_is_followed_by_the_name_where_a_miss_is_free(build: Build, free: bool) -> None:
    caps = replace(ONE_BY_ONE, bills_finds_only=free)
    ann = FakeProvider("ann", capabilities=caps, ways=BY_PROFILE_THEN_NAME)
    harness = build(providers=[ann], fields={EMAIL: ["ann"]})
    ada = harness.crm.add(replace(ADA, linkedin_url=f"{IN}ada-byron"))
    harness.ask()
    harness.answer_all()
    harness.verify()
    knows(harness, {ada: MAIL})
    harness.dispatch()
    if not free:
        assert (len(asked(harness)), harness.job(ada)) == (1, ("done", "not_found"))
        return
    harness.call_back(harness.fake.submitted[-1])
    harness.finish()
    assert (told(harness, 0).last_name, told(harness, 1).last_name, told(harness, 1).linkedin_url) == (
        None,
        "Byron",
        None,
    )
    assert (len(asked(harness)), harness.job(ada)) == (2, SAME)


def test_q5_neighbour_when_both_ways_are_used_up_it_is_the_next_providers_turn(build: Build) -> None:
    fakes = [
        FakeProvider("ann", capabilities=ONE_BY_ONE, ways=BY_PROFILE_THEN_NAME),
        FakeProvider("bea", capabilities=ONE_BY_ONE),
    ]
    harness = build(providers=fakes, fields={EMAIL: ["ann", "bea"]})
    ada = harness.crm.add(replace(ADA, linkedin_url=f"{IN}ada-byron"))
    rounds(harness)
    assert (asked(harness, "ann"), asked(harness, "bea"), harness.job(ada)) == (
        [ada, ada],
        [ada],
        ("done", "not_found"),
    )


def test_q6_a_profile_that_an_answer_brings_is_told_in_the_next_question(build: Build) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bea")]
    harness = build(providers=fakes, fields={EMAIL: ["ann"], PHONE: ["bea"]})
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MAIL}, name="ann")
    harness.fakes["ann"].says[ada, EMAIL] = (replace(ADA, linkedin_url=f"{IN}ada-byron-example"),)
    harness.pull()
    harness.plan()
    harness.dispatch("ann")
    harness.answer_all("ann")
    harness.verify()
    harness.dispatch("bea")
    assert harness.fakes["bea"].submitted[0].requests[0].identity.linkedin_url == f"{IN}ada-byron-example"


def test_q6_neighbour_a_doubtful_answer_teaches_nothing(build: Build) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bea")]
    harness = build(providers=fakes, fields={EMAIL: ["ann"], PHONE: ["bea"]})
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MAIL}, name="ann")
    harness.fakes["ann"].says[ada, EMAIL] = (STRANGER,)
    harness.pull()
    harness.plan()
    harness.dispatch("ann")
    harness.answer_all("ann")
    harness.verify()
    harness.dispatch("bea")
    assert harness.fakes["bea"].submitted[0].requests[0].identity.linkedin_url is None


# --- namesakes, reviews and what comes back ----------------------------------------------------


def namesakes(build: Build, **second: Any) -> tuple[Harness, str, str]:
    """Two records of one CRM with one name at one employer: the CRM says that they are two."""
    harness = build(fields={PHONE: ["ann"]})
    return harness, harness.crm.add(ADA), harness.crm.add(replace(ADA, **second))


def test_namesakes_are_asked_about_one_after_the_other(build: Build) -> None:
    harness, one, two = namesakes(build, linkedin_url=f"{IN}ada-byron-2")
    knows(harness, {one: MOBILE}, PHONE)
    harness.ask()
    assert (asked(harness), harness.state(two, PHONE)) == ([one], "waiting")
    rounds(harness)
    assert (asked(harness), harness.held(one, "phone"), harness.held(two, "phone")) == ([one, two], MOBILE, "")


def test_a_namesake_s_question_is_spared_if_the_answer_names_their_profile(build: Build) -> None:
    harness, one, two = namesakes(build, linkedin_url=f"{IN}ada-byron-2")
    knows(harness, {one: MOBILE}, PHONE)
    harness.fake.says[one, PHONE] = (replace(ADA, linkedin_url=f"{IN}ada-byron-2"),)
    rounds(harness)
    assert (asked(harness), harness.held(two, "phone")) == ([one], MOBILE)


def test_what_was_asked_in_the_same_words_for_a_namesake_is_not_bought_again_and_is_doubtful(build: Build) -> None:
    harness, one, two = namesakes(build)
    knows(harness, {one: MOBILE}, PHONE)
    rounds(harness)
    assert (asked(harness), harness.held(one, "phone"), harness.held(two, "phone")) == ([one], MOBILE, "")
    assert harness.state(two, PHONE) == "review"


def in_review(build: Build, **options: Any) -> tuple[Harness, str]:
    """A doubtful find of the first of two providers waits for a person."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bea")]
    harness = build(providers=fakes, fields={EMAIL: ["ann", "bea"]})
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, **options),)))
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MAIL})
    harness.fake.says[ada, EMAIL] = (replace(ADA, company=None, domain="regional.example"),)
    rounds(harness, 2)
    return harness, ada


def decide(harness: Harness, decision: str) -> None:
    [review] = harness.run(harness.ledger.read(reviews.waiting))
    assert (
        harness.run(harness.ledger.write(reviews.decide, [review.id], decision, "a tester", now=harness.clock.now()))
        == 1
    )
    harness.verify()


def test_an_accepted_doubt_is_written_and_nobody_else_is_paid(build: Build) -> None:
    harness, ada = in_review(build)
    assert (harness.job(ada), asked(harness, "bea")) == (DOUBTFUL, [])
    decide(harness, "accepted")
    rounds(harness, 1)
    assert (harness.job(ada), harness.held(ada), asked(harness, "bea")) == (SAME, MAIL, [])


def test_a_refused_doubt_is_never_written_and_the_next_provider_is_asked(build: Build) -> None:
    harness, ada = in_review(build)
    decide(harness, "refused")
    rounds(harness)
    assert (harness.held(ada), asked(harness, "bea"), harness.job(ada)) == ("", [ada], ("done", "review_refused"))


def test_an_accepted_doubt_is_not_written_once_the_record_is_about_somebody_else(build: Build) -> None:
    harness, ada = in_review(build)
    decide(harness, "accepted")
    harness.crm.records[ada].identity = replace(ADA, first_name="Grace", last_name="Hopper")
    harness.finish()
    assert harness.held(ada) == ""


def test_a_doubt_that_nobody_decides_gives_the_next_provider_its_turn(build: Build) -> None:
    harness, ada = in_review(build, review_within=DAY)
    knows(harness, {ada: "ada.byron@acme.example.com"}, name="bea")
    harness.clock.time += DAY - 180
    harness.sweep()
    harness.verify()
    assert harness.job(ada) == DOUBTFUL
    harness.clock.time += 180
    harness.sweep()
    harness.verify()
    rounds(harness, 1)
    assert (asked(harness, "bea"), harness.held(ada)) == ([ada], "ada.byron@acme.example.com")


def test_more_that_is_known_decides_a_doubt(build: Build) -> None:
    """The record shows the profile by now that the answer named."""
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MAIL})
    profile = f"{IN}ada-byron-example"
    harness.fake.says[ada, EMAIL] = (replace(ADA, company=None, domain="regional.example", linkedin_url=profile),)
    rounds(harness, 1)
    assert harness.job(ada) == DOUBTFUL
    harness.crm.records[ada].identity = replace(ADA, linkedin_url=profile)
    harness.crm.edit(ada, "work_phone", "1")
    rounds(harness, 1)
    assert (harness.job(ada), harness.held(ada), len(asked(harness))) == (SAME, MAIL, 1)


def test_another_country_does_not_make_somebody_else(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    knows(harness, {ada: MAIL})
    harness.ask()
    harness.crm.records[ada].identity = replace(ADA, country="FR")
    harness.crm.edit(ada, "work_phone", "1")
    rounds(harness, 1)
    assert (harness.job(ada), len(asked(harness))) == (SAME, 1)


def test_a_question_that_is_under_way_for_long_is_not_asked_again_for_somebody_else(build: Build) -> None:
    """Even where its answer, once it is there, would be too old to count."""
    harness = build(fields={EMAIL: ["ann"]})
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, retry_not_found=3_600.0),)))
    one = harness.crm.add(ADA)
    harness.ask()
    harness.clock.time += 7_200
    two = harness.crm.add(ADA)
    harness.ask()
    assert (asked(harness), harness.state(two)) == ([one], "waiting")
