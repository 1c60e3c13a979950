"""One form for names, hosts and profiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.contract import normal
from syncd.contract.model import Identity


@pytest.mark.parametrize(
    ("raw", "tidy"),
    [
        ("Gre\u0301goire", "Grégoire"),
        ("  Ada \t\n Example ", "Ada Example"),
        ("Ada\u00a0Example", "Ada Example"),
        ("Łukasz", "Łukasz"),
        ("李小龙", "李小龙"),
        ("O'Brien", "O'Brien"),
        ("O\u2019Brien", "O\u2019Brien"),
        ("Müller-Lüdenscheid", "Müller-Lüdenscheid"),
        ("Ada 🎉", "Ada"),
        ("🎉", None),
        ("A\x00d\u200ba\ufeff", "Ada"),
        ("", None),
        (" \u00a0", None),
        (None, None),
    ],
)
def test_case_09_text(raw: str | None, tidy: str | None) -> None:
    assert normal.text(raw) == tidy


@given(st.text())
def test_text_is_stable_and_can_be_encoded(raw: str) -> None:
    tidy = normal.text(raw)
    assert tidy is None or (normal.text(tidy) == tidy and tidy.strip() == tidy != "")
    assert tidy is None or tidy.encode("utf-8")


ADA = "https://www.linkedin.com/in/ada-example"


@pytest.mark.parametrize(
    "raw",
    [
        ADA,
        "linkedin.com/in/ada-example",
        "www.linkedin.com/in/ada-example/",
        "http://linkedin.com/in/ada-example?utm_source=x&y=1",
        "https://fr.linkedin.com/in/ada-example#about",
        "https://www.linkedin.com/mwlite/in/ada-example",
        "HTTPS://WWW.LINKEDIN.COM/in/Ada-Example",
        "https://www.linkedin.com/in/ada-example/en",
        "https://www.linkedin.com/in/ada-example/de_DE/",
        "//linkedin.com/in/ada-example",
        "  https://www.linkedin.com/in/ada-example  ",
    ],
)
def test_case_10_profiles_have_one_form(raw: str) -> None:
    assert normal.linkedin(raw) == ADA


@pytest.mark.parametrize(
    ("raw", "tidy"),
    [
        ("https://www.linkedin.com/in/ACwAABcDeF", "https://www.linkedin.com/in/ACwAABcDeF"),
        ("linkedin.com/in/gr%C3%A9goire", "https://www.linkedin.com/in/gr%C3%A9goire"),
        ("linkedin.com/in/grégoire", "https://www.linkedin.com/in/gr%C3%A9goire"),
        ("linkedin.com/in/GR%c3%89GOIRE", "https://www.linkedin.com/in/gr%C3%A9goire"),
    ],
)
def test_case_10_encoded_handles_and_ids(raw: str, tidy: str) -> None:
    assert normal.linkedin(raw) == tidy


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "ada-example",
        "https://www.linkedin.com/company/acme",
        "https://www.linkedin.com/sales/lead/ACwAAB,NAME_SEARCH",
        "https://www.linkedin.com/pub/ada-example/1/2/3",
        "https://www.linkedin.com/in/",
        "https://www.linkedin.com/in",
        "https://notlinkedin.com/in/ada-example",
        "https://linkedin.com.evil.test/in/ada-example",
        "https://example.com/?u=linkedin.com/in/ada-example",
        "https://linkedin.com/in/ada example",
        "https://[linkedin.com/in/ada",
    ],
)
def test_case_10_what_is_no_profile(raw: str | None) -> None:
    assert normal.linkedin(raw) is None


@given(st.text() | st.text().map(lambda t: "https://linkedin.com/in/" + t))
def test_linkedin_never_fails_and_is_stable(raw: str) -> None:
    tidy = normal.linkedin(raw)
    assert tidy is None or normal.linkedin(tidy) == tidy


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        ("example.com", "example.com"),
        ("https://www.Example.com/contact?x=1", "example.com"),
        ("www.example.com", "example.com"),
        ("http://example.com:8080", "example.com"),
        ("example.com/contact", "example.com"),
        ("ada@example.com", "example.com"),
        (" ada @ example . com ", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example.com", "xn--bcher-kva.example.com"),
        ("mail.example.co.uk", "mail.example.co.uk"),
    ],
)
def test_case_12_domain_is_a_bare_host(raw: str, host: str) -> None:
    assert normal.domain(raw) == host


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "n/a",
        "Acme Inc",
        "localhost",
        "192.0.2.1",
        "http://",
        "exa_mple.com",
        "-x.com",
        "a..b.com",
        "http://[::1]/",
        "x" * 64 + ".com",
    ],
)
def test_case_12_what_is_no_domain(raw: str | None) -> None:
    assert normal.domain(raw) is None


@given(st.text() | st.text().map(lambda t: "https://" + t))
def test_domain_never_fails_and_is_stable(raw: str) -> None:
    host = normal.domain(raw)
    assert host is None or normal.domain(host) == host


def test_tidy_puts_every_part_into_its_form() -> None:
    raw = Identity(
        first_name=" Ada ", last_name="", company="Acme\u00a0Inc", domain="https://www.Acme.example.com/x",
        linkedin_url="linkedin.com/company/acme", email=" ada@acme.example.com ", country="FR ",
    )  # fmt: skip
    assert normal.tidy(raw) == Identity(
        first_name="Ada", company="Acme Inc", domain="acme.example.com", email="ada@acme.example.com", country="FR"
    )


def test_tidy_drops_what_tells_nothing() -> None:
    raw = Identity(
        first_name="Ada", last_name="[not provided]", company="Self-employed", domain="https://pl.linkedin.com/company/x",
        linkedin_url="linkedin.com/in/me/", email="ada@gmail.com",
    )  # fmt: skip
    assert normal.tidy(raw) == Identity(first_name="Ada", email="ada@gmail.com")


def test_tidy_keeps_a_company_that_is_told_by_a_name_in_place_of_a_host() -> None:
    raw = Identity(first_name="Ada", last_name="Test", company="Dr. Oetker", domain="Dr. Oetker")
    assert normal.tidy(raw) == Identity(first_name="Ada", last_name="Test", company="Dr. Oetker")


def test_tidy_puts_each_mailbox_and_number_into_its_form_once() -> None:
    raw = Identity(emails=(" ada@acme.example ", "", "ada@acme.example"), phones=("+33 6\u00a039", " "))
    assert normal.tidy(raw) == Identity(emails=("ada@acme.example",), phones=("+33 6 39",))


@given(st.text(), st.text(), st.text(), st.text())
def test_tidy_is_stable(first: str, last: str, company: str, address: str) -> None:
    raw = Identity(
        first_name=first, last_name=last, company=company, domain=address, linkedin_url=address, email=address
    )
    tidy = normal.tidy(raw)
    assert normal.tidy(tidy) == tidy


def test_an_employers_host_is_none_where_everybody_has_a_mailbox_or_a_page() -> None:
    assert normal.domain("jean@sfr.fr") == "sfr.fr"
    assert normal.employer_host("jean@sfr.fr", "sites.google.com/view/y", None, "www.acme.example") == "acme.example"
    assert normal.employer_host("jean@sfr.fr") is None


NAMED = Identity(first_name="Ada", last_name="Example", company="Acme", domain="acme.example.com")


def test_case_22_the_same_person_shares_a_key() -> None:
    profile = Identity(linkedin_url=ADA)
    both = Identity(first_name="Other", last_name="Spelling", linkedin_url=ADA, email="x@example.com")
    assert normal.keys(profile) & normal.keys(both)
    shouted = Identity(first_name="ADA", last_name="EXAMPLE", domain="acme.example.com", country="FR")
    assert normal.keys(NAMED) & normal.keys(shouted)
    assert normal.keys(NAMED) & normal.keys(Identity(first_name="Ada", last_name="Example", company="Acme, Inc."))


def test_case_22_different_people_share_no_key() -> None:
    others = [
        Identity(linkedin_url=ADA),
        NAMED,
        Identity(first_name="Ada", last_name="Example", domain="other.example.com"),
        Identity(first_name="Bob", last_name="Example", domain="acme.example.com"),
    ]
    keys = [normal.keys(other) for other in others]
    assert all(keys)
    assert len(frozenset[str]().union(*keys)) == sum(map(len, keys))


@pytest.mark.parametrize(
    "known",
    [
        Identity(),
        Identity(first_name="Ada", last_name="Example"),
        Identity(first_name="Ada", company="Acme"),
        Identity(email="info@example.com"),
    ],
)
def test_too_little_is_known_for_a_key(known: Identity) -> None:
    assert not normal.keys(known)
