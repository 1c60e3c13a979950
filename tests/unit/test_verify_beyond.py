"""Beyond the provider's word: whether the domain takes mail, and whether it is the employer's. Only ever lower."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from syncd.config import WritePolicy
from syncd.config.sections import Verify
from syncd.contract.model import Grade
from syncd.pipeline.exchangers import Exchangers
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, Harness
from .name_server import BROKEN, SILENT, NameServer, Zone, name_server

ZONE: Zone = {
    ("takes.example.com", "MX"): "10 mx.takes.example.com.",
    ("null.example.com", "MX"): "0 .",
    ("address.example.com", "A"): "192.0.2.1",
    ("address6.example.com", "AAAA"): "2001:db8::1",
    ("bare.example.com", "TXT"): '"nothing else"',
    ("broken.example.com", "MX"): BROKEN,
    ("silent.example.com", "MX"): SILENT,
    ("acme.example.com", "MX"): "10 mx.acme.example.com.",
}
LOOSE = frozenset({Grade.VALID, Grade.PROBABLE})
ELSEWHERE = "on another domain than the company's"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server(ZONE) as made:
        yield made


@pytest.mark.parametrize(
    ("host", "refuses"),
    [
        ("takes.example.com", False),
        ("null.example.com", True),
        ("nowhere.example.com", True),
        ("address.example.com", False),
        ("address6.example.com", False),
        ("bare.example.com", True),
        ("broken.example.com", False),
        ("silent.example.com", False),
    ],
)
def test_what_the_dns_says_of_a_domain(server: NameServer, host: str, refuses: bool) -> None:
    known = Exchangers(within=0.4)
    asyncio.run(known.look([host], server.address, now=0.0))
    assert known.refuses(host) is refuses


def test_it_is_asked_once_until_that_is_old(server: NameServer) -> None:
    known = Exchangers(within=0.4)
    for now, questions in ((0.0, 1), (3_000.0, 1), (86_500.0, 2)):
        asyncio.run(known.look(["takes.example.com"], server.address, now=now))
        assert len(server.asked) == questions


def test_a_server_that_is_not_there_changes_nothing() -> None:
    with name_server(ZONE) as gone:
        pass
    known = Exchangers(within=0.4)
    asyncio.run(known.look(["takes.example.com"], gone.address, now=0.0))
    assert not known.refuses("takes.example.com")


# --- what follows from it ---------------------------------------------------------------------------


def checked(
    build: Build, server: NameServer, *, accept: frozenset[Grade] = frozenset({Grade.VALID}), **verify: bool
) -> Harness:
    harness = build(fields={EMAIL: ["ann"]}, accept=accept)
    sync = replace(harness.sync, verify=Verify(**verify))
    harness.reopen(replace(harness.settings, syncs=(sync,), resolver=server.address))
    harness.parts = replace(harness.parts, exchangers=Exchangers(within=0.4))
    harness.recover()
    return harness


def found(harness: Harness, mailbox: str, grade: Grade = Grade.VALID) -> str:
    ada = harness.person()
    harness.finds(ada, EMAIL, mailbox, grade=grade)
    harness.ask()
    harness.answer_all()
    harness.finish()
    return ada


@pytest.mark.parametrize("host", ["null.example.com", "nowhere.example.com", "bare.example.com"])
def test_an_address_whose_domain_takes_no_mail_is_not_written(build: Build, server: NameServer, host: str) -> None:
    harness = checked(build, server, mail_exchanger=True)
    ada = found(harness, f"ada@{host}")
    assert (harness.held(ada), harness.job(ada)) == ("", ("done", "low_quality"))
    assert harness.note(ada) == "found invalid only (lowered from valid: its domain takes no mail)"


@pytest.mark.parametrize(
    "host", ["takes.example.com", "address.example.com", "broken.example.com", "silent.example.com"]
)
def test_what_takes_mail_or_can_t_be_asked_is_written(build: Build, server: NameServer, host: str) -> None:
    harness = checked(build, server, mail_exchanger=True)
    assert harness.held(found(harness, f"ada@{host}")) == f"ada@{host}"


def test_without_the_option_nobody_is_asked(build: Build, server: NameServer) -> None:
    harness = checked(build, server)
    assert harness.held(found(harness, "ada@nowhere.example.com")) == "ada@nowhere.example.com"
    assert server.asked == []


@pytest.mark.parametrize(
    ("mailbox", "grade", "written", "note"),
    [
        ("ada@acme.example.com", Grade.VALID, True, "valid by ann"),
        ("ada@other.example.org", Grade.VALID, False, f"found probable only (lowered from valid: {ELSEWHERE})"),
        ("ada@other.example.org", Grade.CATCH_ALL, False, "found catch_all only"),
        ("ada@gmail.com", Grade.VALID, True, "valid by ann, a personal address"),
    ],
)  # fmt: skip
def test_a_work_address_elsewhere_is_at_most_probable(
    build: Build, server: NameServer, mailbox: str, grade: Grade, written: bool, note: str
) -> None:
    harness = checked(build, server, employer=True)
    ada = found(harness, mailbox, grade)
    assert harness.held(ada) == (mailbox if written else "")
    told = harness.sql("SELECT note FROM event WHERE source = 'answered' ORDER BY id DESC LIMIT 1")[0][0]
    assert told == note


def test_the_journey_tells_what_lowered_a_grade_that_is_accepted(build: Build, server: NameServer) -> None:
    harness = checked(build, server, accept=LOOSE, employer=True)
    ada = found(harness, "ada@other.example.org")
    assert harness.held(ada) == "ada@other.example.org"
    told = harness.sql("SELECT note FROM event WHERE target = 'accepted'")[0][0]
    assert told.startswith("probable by ann, lowered from valid: on another domain")


def test_another_rule_decides_on_what_was_paid_for(build: Build, server: NameServer) -> None:
    harness = checked(build, server, mail_exchanger=True)
    ada = found(harness, "ada@null.example.com")
    assert harness.held(ada) == ""
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, verify=Verify()),)))
    harness.recover()
    harness.finish()
    assert harness.held(ada) == "ada@null.example.com"
    assert harness.credits()["charged"] == 1


def test_what_was_lowered_gives_way_to_a_better_find(build: Build, server: NameServer) -> None:
    """Written as probable, since it is elsewhere; a valid one at the employer's domain comes late."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "ben")]
    harness = build(providers=fakes, fields={EMAIL: ["ann", "ben"]}, accept=LOOSE)
    sync = harness.sync
    email = replace(sync.fields[EMAIL], writes=WritePolicy.BETTER)
    verified = replace(sync, fields={EMAIL: email}, verify=Verify(employer=True))
    harness.reopen(replace(harness.settings, syncs=(verified,)))
    harness.recover()
    ada = harness.person()
    harness.finds(ada, EMAIL, "ada@other.example.org", by="ben")
    harness.ask_the_next("ben")
    assert harness.held(ada) == "ada@other.example.org"
    harness.finds(ada, EMAIL, "ada@acme.example.com", by="ann")
    harness.answer_all("ann")
    harness.plan()
    harness.finish()
    assert harness.held(ada) == "ada@acme.example.com"
