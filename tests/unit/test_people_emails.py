"""E-mails: what may be written as a person's address, of what kind it is, and why the rest may not."""

import pytest

from syncd.people.emails import Kind, Mailbox, is_role, read, same
from syncd.people.mailboxes import _known, is_provider
from syncd.people.text import listed
from syncd.people.unusable import Unusable


def mailbox(raw: str) -> Mailbox:
    found = read(raw)
    assert isinstance(found, Mailbox), (raw, found)
    return found


def why_not(raw: str) -> str:
    found = read(raw)
    assert isinstance(found, Unusable), (raw, found)
    return found.why


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("Ada@ACME.Example.com", "Ada@acme.example.com"), ("  ada@acme.test ", "ada@acme.test"),
        ("x@y.example", "x@y.example"), ("ada+crm@acme.example", "ada+crm@acme.example"),
        ("o'brien@acme.example", "o'brien@acme.example"), ("my@acme.example", "my@acme.example"),
    ],
)  # fmt: skip
def test_an_address_has_its_domain_in_lower_case_and_its_local_part_as_given(raw: str, address: str) -> None:
    assert mailbox(raw) == Mailbox(address, Kind.WORK)


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("anna@xn--mller-kva.example", "anna@xn--mller-kva.example"),
        ("anna@m\u00fcller.example", "anna@xn--mller-kva.example"),
        ("anna@M\u00dcLLER.example", "anna@xn--mller-kva.example"),
        ("anna@mu\u0308ller.example", "anna@xn--mller-kva.example"),
        ("kenji@\u4f8b\u3048.example", "kenji@xn--r8jz45g.example"),
    ],
)
def test_v7_the_domain_is_written_in_ascii(raw: str, address: str) -> None:
    assert mailbox(raw).address == address


def test_v7_a_change_of_form_is_a_remark() -> None:
    assert mailbox("anna@xn--mller-kva.example").remarks == ()
    assert mailbox("anna@m\u00fcller.example").remarks == ("the domain is written in its ASCII form",)


V8 = {
    "a masked address": [
        "m***@mask.example", "m*@mask.example", "xx\u2026@mask.example", "j\u2022\u2022\u2022@mask.example",
        "xxxx@mask.example", "jxxxxxx@mask.example", "XXX@mask.example", "j___@mask.example", "j...@mask.example",
        "j???@mask.example", "ada@m***.example", "ada@ac\u2026.example",
    ],
    "a stand-in for an address": [
        "email_not_unlocked@domain.com", "email_not_unlocked@acme.example", "ada@domain.com", "ada@yourcompany.com",
        "not-available@acme.example", "notavailable@acme.example", "email.unavailable@acme.example",
        "firstname.lastname@acme.example", "first.last@acme.example", "your.name@acme.example",
        "youremail@acme.example", "no-email@acme.example", "noemail@acme.example", "none@acme.example",
        "null@acme.example", "unknown@acme.example", "redacted@acme.example", "hidden@acme.example",
        "locked@acme.example", "vorname.nachname@acme.example",
    ],
    "an address that nobody reads": [
        "no-reply@x.example", "noreply@x.example", "No_Reply@x.example", "no.reply@x.example", "donotreply@x.example",
        "do-not-reply@x.example", "noreply-hr@x.example", "hr.noreply@x.example", "noreply2@x.example",
        "noreply+7@x.example", "mailer-daemon@x.example", "MAILER_DAEMON@x.example", "bounce@x.example",
        "bounces-12@x.example", "bounce+a=b@x.example", "ne-pas-repondre@x.example", "nepasrepondre@x.example",
        "keine-antwort@x.example", "noresponder@x.example", "no-responder@x.example", "naoresponda@x.example",
        "non-rispondere@x.example", "autoreply@x.example", "7+ada@users.noreply.x.example",
    ],
    "the domain is no public one": [
        "ada@test", "ada@acme.internal", "ada@acme.corp", "ada@acme.lan", "ada@pc.localdomain",
    ],
    "not a valid e-mail address": [
        "ada@localhost", "ada@acme", "ada@acme.local", "ada@acme.invalid", "ada@acme.onion", "ada@example", "", "ada",
        "@acme.example", "ada@", "ada@acme..example", "ada.@acme.example", "a b@acme.example", "ada@acme@x.example",
        "ada@[192.0.2.1]", "Ada <ada@acme.example>", "ada@acme.example, bob@acme.example", "j\u00f6@acme.example",
        "[email protected]", "ada at acme.example", "ada@-acme.example", "ada@acme_x.example",
    ],
    "a disposable address": ["ada@mailinator.com", "ada@eu.mailinator.com", "ada@YOPMAIL.com", "ada@10mail.org"],
}  # fmt: skip


@pytest.mark.parametrize(("raw", "why"), [(raw, why) for why, texts in V8.items() for raw in texts])
def test_v8_what_reaches_nobody_is_no_value(raw: str, why: str) -> None:
    assert why_not(raw) == why


def test_too_long_an_address_is_no_value() -> None:
    why_not("a" * 65 + "@acme.example")
    why_not("ada@" + "a." * 150 + "example")


@pytest.mark.parametrize(
    "local",
    [
        "eleonore.plyton", "nora.reply", "matt.daemon", "a", "xx.li", "xavier", "max.xu", "anna-lena", "anna--lena",
        "na", "nan", "locke", "john.lock", "first", "may.known", "dev.patel", "emily.post", "steve.jobs", "jobs.steve",
        "maria.sales", "post.emily", "ola", "ask", "ada.office", "mailand", "informant", "salesman", "test.ada",
        "hristo", "contini", "teamlead", "hellouise", "ada2", "2ada",
    ],
)  # fmt: skip
def test_v8_and_v9_addresses_of_people_that_look_alike(local: str) -> None:
    assert mailbox(f"{local}@acme.example").kind is Kind.WORK


@pytest.mark.parametrize(
    "local",
    [
        "info", "Info", "info2", "info-fr", "info.fr", "info_de", "fr.info", "info+crm", "info-lyon", "sales",
        "sales.uk", "sales_team", "sales-emea", "support", "support01", "kontakt", "contact", "contact-presse",
        "accueil", "office", "hello", "team", "admin", "hr", "jobs", "ventes", "vertrieb", "ventas", "vendite",
        "customer.service",
        "customerservice", "human-resources", "accounts-payable", "postmaster", "abuse", "webmaster", "hostmaster",
        "security", "noc", "secretariat", "buchhaltung", "bewerbung", "rrhh", "compta", "presse", "privacy",
        "datenschutz", "reception", "recepcion", "contato", "segreteria", "post", "service", "test", "it",
    ],
)  # fmt: skip
def test_v9_a_functions_mailbox_is_a_role(local: str) -> None:
    assert mailbox(f"{local}@role.example").kind is Kind.ROLE
    assert is_role(f"{local}@role.example")


def test_v9_at_a_provider_a_role_stands_alone() -> None:
    assert mailbox("info@gmail.com").kind is Kind.ROLE
    assert mailbox("contact.jane@gmail.com").kind is Kind.PERSONAL


P2 = listed("""
sfr.fr hotmail.fr gmx.at bluewin.ch libero.it comcast.net btinternet.com mail.ru naver.com uol.com.br skynet.be
online.no gmail.com googlemail.com outlook.com live.fr yahoo.co.uk yahoo.co.th hotmail.co.th icloud.com me.com
orange.fr free.fr laposte.net wanadoo.fr neuf.fr bbox.fr t-online.de web.de gmx.de freenet.de vodafone.de arcor.de
virgilio.it tin.it alice.it ziggo.nl telenet.be proximus.be telia.com comhem.se mail.dk wp.pl o2.pl seznam.cz
azet.sk freemail.hu yandex.ru att.net verizon.net cox.net rogers.com sympatico.ca shaw.ca bigpond.com xtra.co.nz
qq.com 163.com daum.net docomo.ne.jp rediffmail.com terra.com.br movistar.es sapo.pt eircom.net virginmedia.com
sky.com plus.net hispeed.ch aon.at a1.net otenet.gr walla.co.il proton.me tutanota.com privaterelay.appleid.com
alumni.stanford.example alum.mit.edu cantab.net mail.sfr.fr
""")


@pytest.mark.parametrize("host", sorted(P2))
def test_p2_a_mailbox_at_a_provider_is_personal(host: str) -> None:
    assert is_provider(host)
    assert mailbox(f"ada@{host}").kind is Kind.PERSONAL


@pytest.mark.parametrize(
    "host",
    [
        "acme.example", "acme.example.com", "example.com", "orange.example", "mail.acme.example", "gmail.acme.example",
        "yahoo.acme.example", "outlook.example", "acme.co.uk", "co.uk", "com", "fr", "acme.za.com", "nus.edu.sg",
        "bt.com", "orange.com", "alumni.example", "gmx-acme.example", "sfr.fr.example",
    ],
)  # fmt: skip
def test_an_employers_host_is_no_provider(host: str) -> None:
    assert not is_provider(host)


def test_no_public_suffix_is_a_provider() -> None:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  # 0.1 s, for this test alone

    suffix = PublicSuffixList().publicsuffix
    assert [host for host in _known() if suffix(host) == host] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Acme.test", "ada@acme.test "), ("mailto:ada@acme.test", "ada@acme.test"),
        ("MAILTO:Ada@acme.test", "ada@acme.test"), ("a@m\u00fcller.example", "a@xn--mller-kva.example"),
        ("A@M\u00dcLLER.example", "a@XN--MLLER-KVA.example"), ("none", "None"),
    ],
)  # fmt: skip
def test_v10_the_same_address_in_other_words(one: str, other: str) -> None:
    assert same(one, other) is same(other, one) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@acme.test", "bob@acme.test"), ("ada@acme.test", "ada@acme.example"), ("ada@acme.test", ""),
        ("a@m\u00fcller.example", "a@muller.example"), ("ada@acme.test", "ada"), ("ada+crm@acme.test", "ada@acme.test"),
    ],
)  # fmt: skip
def test_v10_another_address(one: str, other: str) -> None:
    assert same(one, other) is same(other, one) is False


def test_v11_mailto_is_no_part_of_an_address() -> None:
    assert why_not("mailto:ada@acme.example.com") == "not a valid e-mail address"
