"""What tells an employer and what does not: hosts, companies' names, placeholders."""

# ruff: noqa: RUF001 - letters that look alike are meant

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.people import employers, mailboxes


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        ("https://i❤.ws", "xn--i-7iq.ws"),
        ("https://i❤\ufe0f.ws/", "xn--i-7iq.ws"),
        ("https://xn--i-7iq.ws", "xn--i-7iq.ws"),
        ("https://☃.net", "xn--n3h.net"),
        ("http://💩.la/x", "xn--ls8h.la"),
        ("https://müller.example", "xn--mller-kva.example"),
        ("https://MÜLLER.example", "xn--mller-kva.example"),
        ("https://mu\u0308ller.example", "xn--mller-kva.example"),
        ("https://straße.example", "xn--strae-oqa.example"),
        ("ａｃｍｅ。ｅｘａｍｐｌｅ", "acme.example"),
        ("acme\u200b.example\u00ad", "acme.example"),
        ("https://acme%2Eexample/", "acme.example"),
        ("https:\\\\acme.example\\about", "acme.example"),
        ("https:/acme.example", "acme.example"),
        ("http//acme.example", "acme.example"),
        ("htp://acme.example", "acme.example"),
        ("http://https://acme.example", "acme.example"),
        ("https://user:secret@acme.example:8443/x?y=a@other.example#z", "acme.example"),
        ("<https://www.acme.example>", "acme.example"),
        ("(acme.example).", "acme.example"),
        ("acme.example,", "acme.example"),
        ("Ada <ada@acme.example>", "acme.example"),
        ("mailto:ada@acme.example?subject=x", "acme.example"),
        ("ada @ acme . example", "acme.example"),
        ("WWW.Acme.Example.", "acme.example"),
        ("acme.example, acme.test", "acme.example"),
        ("https://acme.example; www.acme.test/x", "acme.example"),
        ("ada@acme.example; bob@birch.example", "acme.example"),
        ("www.com", "www.com"),
        ("acme.co.uk", "acme.co.uk"),
        ("acme.inc", "acme.inc"),
        ("acme.test", "acme.test"),
        ("example.com", "example.com"),
    ],
)
def test_q2_a_host_is_read_as_a_browser_reads_it(raw: str, host: str) -> None:
    assert employers.host(raw) == host


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "Dr. Oetker",
            "Acme Inc. Paris",
            "not available. see linkedin",
            "e.g. acme",
            "St. Gobain",
            "n/a",
            "acme",
            "N.A.",
        ),
        *("dr.oetker", "acme.com - Home", "e.g., acme.com", "Acme.Paris GmbH", "St. Paris"),
        *("Acme. Berlin", "No. One", "S.A."),
        *("S.p.A.", "d.o.o.", "Ph.D."),
        *("J.P. Morgan", "t.b.d.", "see www", "www", "-", "?", "Acme, Inc.", "A/S"),
        *("24/7", "3.14", "1.2.3.4", "co.uk"),
        *("com", "http://", "https://localhost", "intranet", "https://crm.intranet"),
        *("printer.local", "http://[::1]/"),
        *("exa_mple.com", "-x.com", "a..b.com", "x" * 64 + ".com", "acme.c", "ada@"),
        *("ada@localhost", "xn--.com", None),
        *("https://xn--acme-.com", "https://acme\u202e.com.\ud800", "", "🎉", "https://\u0301acme.com"),
    ],
)
def test_q3_a_name_is_no_host(raw: str | None) -> None:
    assert employers.host(raw) in {None, "acme.com"} if raw and "\u202e" in raw else employers.host(raw) is None


@given(st.text() | st.text().map(lambda text: f"https://{text}.example") | st.text().map(lambda text: f"{text}.ws"))
def test_reading_a_host_never_fails_and_is_stable(raw: str) -> None:
    host = employers.host(raw)
    assert host is None or (employers.host(host) in {host, host.removeprefix("www.")} and host.isascii())


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("acme.example", "acme.example"),
        ("mail.eu.acme.example", "acme.example"),
        ("mail.acme.co.uk", "acme.co.uk"),
        ("acme.uk.com", "acme.uk.com"),
        ("www2.acme.eu.com", "acme.eu.com"),
        ("acme.de.com", "acme.de.com"),
        ("acme.com.de", "acme.com.de"),
        ("acme.krakow.pl", "acme.krakow.pl"),
        ("acme.msk.ru", "acme.msk.ru"),
        ("x.acme.service.gov.uk", "acme.service.gov.uk"),
        ("chair.rub.de", "rub.de"),
        ("a.acme.example.com", "acme.example.com"),
        ("example.com", "example.com"),
        ("google.com", "google.com"),
        ("squarespace.com", "squarespace.com"),
        ("mail.squarespace.com", "squarespace.com"),
        ("microsoft.com", "microsoft.com"),
        ("orange.com", "orange.com"),
        ("vodafone.com", "vodafone.com"),
        ("mylinkedin.com", "mylinkedin.com"),
        ("notfacebook.com", "notfacebook.com"),
        ("indeedly.example", "indeedly.example"),
        ("alumni.example", "alumni.example"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws"),
    ],
)
def test_an_employers_domain_is_what_it_registered(host: str, domain: str) -> None:
    assert employers.domain(host) == domain


@pytest.mark.parametrize(
    "raw",
    [
        *("https://pl.linkedin.com/company/alpha", "https://pl.linkedin.com/company/beta", "fr-fr.facebook.com/x"),
        *(
            "sites.google.com/view/y",
            "linktr.ee/z",
            "https://m.facebook.com/x",
            "https://de-de.facebook.com/x",
            "fb.me/x",
        ),
        *("https://www.instagram.com/x", "x.com/acme", "https://mobile.twitter.com/x", "youtu.be/x", "vk.com/x"),
        *("https://www.xing.com/companies/x", "https://www.pinterest.fr/x"),
        *("wa.me/447700900000", "t.me/x", "vk.ru/x"),
        *(
            "https://acme.wixsite.com/site",
            "acme.github.io",
            "acme.blogspot.com",
            "acme.blogspot.de",
            "acme.weebly.com",
        ),
        *(
            "https://acme.wordpress.com",
            "acme.squarespace.com",
            "acme.myshopify.com",
            "acme.netlify.app",
            "acme.web.app",
        ),
        *(
            "acme.vercel.app",
            "https://acme.notion.site/x",
            "https://acme.carrd.co",
            "acme.jimdosite.com",
            "acme.substack.com",
        ),
        *("acme.webnode.fr", "acme.business.site", "https://medium.com/@acme"),
        *("acme.tumblr.com", "acme.herokuapp.com"),
        *(
            "https://drive.google.com/x",
            "docs.google.com/document/x",
            "https://www.dropbox.com/s/x",
            "wetransfer.com/x",
        ),
        *(
            "acme.sharepoint.com",
            "acme.onmicrosoft.com",
            "https://github.com/acme",
            "gitlab.com/acme",
            "acme.gitlab.io",
        ),
        *("https://maps.google.com/x", "https://www.google.com/maps/place/x"),
        *("google.fr/search?q=x", "goo.gl/maps/x"),
        *("g.page/acme", "bit.ly/x", "beacons.ai/x", "about.me/x", "calendly.com/x", "bio.site/x", "lnkd.in/x"),
        *("https://www.malt.fr/profile/x", "upwork.com/x", "crunchbase.com/x", "https://fr.wikipedia.org/wiki/X"),
        *("jean@sfr.fr", "x@gmail.com", "x@post.harvard.edu", "x@alumni.uni.example", "x@mail.alumni.uni.example"),
        *("x@school-alumni.example", "x@alum.mit.edu", "none@none.com", "x@acme.invalid", "www.noemail.com"),
        *("s3.amazonaws.com/acme", "acme.force.com", "https://acme.atlassian.net", "acme.slack.com", "x.duckdns.org"),
    ],
)
def test_p6_shared_hosts_are_no_employers(raw: str) -> None:
    assert employers.host(raw) is not None
    assert employers.employer_host(raw) is None
    assert employers.why_no_employer(raw).startswith("it is ")


KNOWN_MAILBOXES = """
sfr.fr hotmail.fr gmx.at bluewin.ch libero.it comcast.net btinternet.com mail.ru naver.com uol.com.br skynet.be
online.no
neuf.fr orange.fr free.fr wanadoo.fr laposte.net bbox.fr numericable.fr club-internet.fr aliceadsl.fr t-online.de web.de
freenet.de arcor.de gmx.net 1und1.de vodafone.de a1.net aon.at chello.at hispeed.ch sunrise.ch telenet.be proximus.be
ziggo.nl kpnmail.nl planet.nl xs4all.nl hetnet.nl home.nl tiscali.it alice.it tin.it virgilio.it fastwebnet.it
telefonica.net terra.es ono.com movistar.es sapo.pt netcabo.pt telia.com bredband.net comhem.se spray.se
broadpark.no getmail.no tdcadsl.dk mail.dk stofanet.dk youmail.dk wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz
atlas.cz azet.sk yandex.ru rambler.ru list.ru bk.ru ukr.net i.ua abv.bg otenet.gr att.net verizon.net sbcglobal.net
bellsouth.net cox.net charter.net earthlink.net rogers.com shaw.ca sympatico.ca videotron.ca bigpond.com optusnet.com.au
xtra.co.nz sky.com talktalk.net ntlworld.com virginmedia.com blueyonder.co.uk tiscali.co.uk eircom.net bol.com.br
terra.com.br ig.com.br globo.com prodigy.net.mx hanmail.net daum.net qq.com 163.com 126.com sina.com foxmail.com
docomo.ne.jp ezweb.ne.jp softbank.ne.jp yahoo.co.jp nifty.com ocn.ne.jp rediffmail.com walla.co.il bezeqint.net
proton.me pm.me tutanota.com hey.com fastmail.com icloud.com me.com mac.com outlook.fr live.fr hotmail.co.uk gmail.com
googlemail.com yahoo.com yahoo.fr aol.com msn.com posteo.de mailbox.org duck.com protonmail.com mailo.com freemail.hu
citromail.hu mynet.com ttmail.com superonline.com singnet.com.sg netvigator.com
"""


@pytest.mark.parametrize("host", KNOWN_MAILBOXES.split())
def test_p2_mailbox_providers_are_no_employers(host: str) -> None:
    assert mailboxes.is_provider(host)
    assert employers.employer_host(f"jean.martin@{host}") is None
    assert employers.employer_host(f"https://perso.{host}/jean") is None


@pytest.mark.parametrize("host", ["acme.example", "sfr.example", "mysfr.fr", "sfr.com", "acme.za.com", "gmail.example"])
def test_p2_other_hosts_are_no_mailbox_providers(host: str) -> None:
    assert not mailboxes.is_provider(host)
    assert employers.domain(host) == host


def test_the_first_employer_among_several_is_told_with_its_sub_domain() -> None:
    assert employers.employer_host(None, "Dr. Oetker", "x@gmail.com", "www.shop.acme.example", "b.example") == (
        "shop.acme.example"
    )
    assert employers.employer_host() is None


ACME = ("Acme", "ACME", " acme ", "Acme Inc", "Acme, Inc.", "ACME INC", "The Acme Company", "Acme Co.", "Acme Corp.")
FORMS = (
    "Ltd", "Ltd.", "Limited", "LLC", "L.L.C.", "PLC", "LLP", "GmbH", "G.m.b.H.", "GmbH & Co. KG",
    "GmbH und Co KG", "AG",
    "KGaA", "e.K.", "UG (haftungsbeschränkt)", "SE", "SARL", "S.A.R.L.", "S.à r.l.", "Sàrl", "SAS", "S.A.S.",
    "SASU", "SA",
    "S.A.", "S. A.", "EURL", "S.p.A.", "SpA", "S.r.l.", "S.L.", "S.L.U.", "S.A. de C.V.", "Lda.", "Ltda", "S/A", "B.V.",
    "BV", "N.V.", "AB", "A/S", "ApS", "AS", "ASA", "Oy", "Oyj", "Sp. z o.o.", "S.A.", "s.r.o.", "a.s.",
    "d.o.o.", "Kft.",
    "Zrt.", "A.Ş.", "ООО", "Pty Ltd", "Pty. Ltd.", "Pvt. Ltd.", "Private Limited", "Pte. Ltd.", "Sdn Bhd", "Co., Ltd.",
    "K.K.", "株式会社", "(株)", "有限公司", "주식회사",
)  # fmt: skip


@pytest.mark.parametrize("name", ACME)
def test_p7_spellings_of_one_company(name: str) -> None:
    assert employers.company_key(name) == employers.company_key("Acme") is not None


@pytest.mark.parametrize("form", FORMS)
def test_p7_the_legal_form_does_not_count(form: str) -> None:
    assert employers.company_key(f"Acme {form}") == employers.company_key(f"Acme, {form}") == "acme"


@pytest.mark.parametrize("name", ["SARL Acme", "ООО Acme", "PT Acme", "UAB Acme", "株式会社Acme"])
def test_p7_a_legal_form_in_front_does_not_count(name: str) -> None:
    assert employers.company_key(name) == "acme"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller & Söhne", "Mueller und Soehne"),
        ("Müller & Söhne", "MUELLER & SOEHNE GmbH"),
        ("Müller & Söhne", "Muller + Sohne"),
        ("Dupont et Fils", "Dupont & Fils SARL"),
        ("Pérez y Gómez, S.L.", "Perez & Gomez"),
        ("Rossi e Figli S.n.c.", "Rossi & Figli"),
        ("De Jong en Zonen B.V.", "De Jong & Zonen"),
        ("Berg och Söner AB", "Berg & Söner"),
        ("Ørsted A/S", "Orsted"),
        ("Ålesund Foods AS", "Aalesund Foods"),
        ("Łódź Foods", "Lodz Foods Sp. z o.o."),
        ("Sean O’Brien Ltd", "Sean O'Brien"),
        ("Jean\u2011Luc Paris", "Jean-Luc Paris SAS"),
        ("Hewlett-Packard", "Hewlett Packard"),
        ("A.C.M.E. Foods", "ACME Foods"),
        ("A. C. M. E. Foods", "ACME Foods"),
        ("L'Atelier", "L’Atelier SARL"),
        ("Acme™", "Acme"),
        ("Acme (Holdings) Ltd.", "Acme Holdings"),
        ("Smith and Company", "Smith & Co."),
        ("ＡＣＭＥ", "Acme"),
        ("Straße Bau GmbH", "Strasse Bau"),
    ],
)
def test_p7_names_of_one_company_agree(one: str, other: str) -> None:
    assert employers.company_key(one) == employers.company_key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme", "Acne"),
        ("Acme Foods", "Acme Robotics"),
        ("SAS Institute", "Institute"),
        ("SA Water", "Water"),
        ("Alder Ltd", "Birch Ltd"),
        ("3M", "M"),
        ("株式会社アクメ", "株式会社ベータ"),
        ("华为", "小米"),
        ("Müller", "Miller"),
    ],
)
def test_p7_other_companies_stay_apart(one: str, other: str) -> None:
    assert employers.company_key(one) != employers.company_key(other)
    assert None not in {employers.company_key(one), employers.company_key(other)}


@pytest.mark.parametrize(
    "name",
    [
        *("[not provided]", "[[Unknown]]", "[Unknown]", "(unknown)", "<none>", "Unknown"),
        *("UNKNOWN", "Unknown Company"),
        *(
            "Not Provided",
            "Not available",
            "not available. see linkedin",
            "N/A",
            "n/a",
            "N.A.",
            "n.a",
            "NA",
            "None",
            "null",
        ),
        *(
            "-",
            "--",
            ".",
            "...",
            "?",
            "0",
            "000",
            "xxx",
            "TBD",
            "To be determined",
            "Company Name",
            "my company",
            "Other",
        ),
        *(
            "Inconnu",
            "Non renseigné",
            "Unbekannt",
            "keine Angabe",
            "Desconocido",
            "Sconosciuto",
            "Onbekend",
            "неизвестно",
        ),
        *(
            "Self-employed",
            "Self employed",
            "SELF-EMPLOYED",
            "selfemployed",
            "Self‑Employed",
            "Self",
            "Self-Employment",
        ),
        *(
            "Freelance",
            "Freelancer",
            "Free-lance",
            "Freelance Designer",
            "Freelance graphic designer",
            "Freelance / Student",
        ),
        *(
            "Self-employed (Consultant)",
            "Independent",
            "Independent Consultant",
            "Independent contractor",
            "Sole trader",
        ),
        *(
            "Indépendant",
            "Indépendante",
            "Independant",
            "Travailleur indépendant",
            "Auto-entrepreneur",
            "Micro-entrepreneur",
        ),
        *(
            "À mon compte",
            "Selbstständig",
            "Selbständig",
            "Selbststaendig",
            "Freiberufler",
            "freiberuflich",
            "Autónomo",
        ),
        *("Autônomo", "Por cuenta propia", "Por conta própria", "Libero professionista"),
        *("In proprio", "Zelfstandige"),
        *("ZZP", "ZZP'er", "Egenföretagare", "Eget företag", "Selvstendig næringsdrivende"),
        *("Selvstændig", "Yrittäjä"),
        *(
            "Własna działalność",
            "OSVČ",
            "Egyéni vállalkozó",
            "Serbest",
            "Самозанятый",
            "フリーランス",
            "自由职业者",
            "프리랜서",
        ),
        *("Ελεύθερος επαγγελματίας", "עצמאי", "عمل حر", "Confidential", "Confidentiel", "Vertraulich", "Stealth"),
        *(
            "Stealth Startup",
            "Stealth Mode",
            "Private",
            "Privat",
            "Privé",
            "Student",
            "Étudiant",
            "Etudiante",
            "Estudiante",
        ),
        *(
            "Retired",
            "Retraité",
            "Rentner",
            "im Ruhestand",
            "Unemployed",
            "Sans emploi",
            "Arbeitslos",
            "Looking for a job",
        ),
        *("Open to work", "Career break", "Home", "Individual", "Particulier", "Test"),
        *("test company", "asdf", "Demo"),
        *("Retired / Consultant", "N/A - Student", "Student, Freelancer", "", "  ", "🎉", None),
    ],
)
def test_p3_p4_placeholders_are_no_companies(name: str | None) -> None:
    assert employers.company_key(name) is None
    assert employers.why_no_employer(name)


@pytest.mark.parametrize(
    "name",
    [
        *("Home Depot", "Private Equity Partners", "Student Beans", "Independent Tools Ltd"),
        "Freelance Informatique",
        *("Unknown Worlds Entertainment", "None Such Records", "Test Valley Borough Council", "Retired Horses Trust"),
        *(
            "Confidential Shredding",
            "Stealth Audio Labs",
            "Self Magazine",
            "Other Ocean",
            "The Individual Group",
            "X",
            "3M",
        ),
        *(
            "Autonomous Robots",
            "Confidential Computing Ltd",
            "Demo Day Media",
            "NA Trading",
            "Nil Admirari",
            "Test-Aankoop",
        ),
        *(
            "Selfridges",
            "Freelancer Solutions",
            "Serbest Holding",
            "SAS",
            "AB Volvo",
            "Inc Magazine",
            "1848",
            "A&E",
            "李小龙",
        ),
    ],
)
def test_p4_companies_whose_names_hold_such_words_stay(name: str) -> None:
    assert employers.company_key(name) is not None
    assert employers.why_no_employer(name) == ""


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("acme.com", "acme.com"),
        ("Acme.Com", "acme.com"),
        ("www.acme.example", "acme.example"),
        ("Acme.com B.V.", "acme.com"),
        ("Acme.com, Inc.", "acme.com"),
        ("shop.acme.co.uk", "acme.co.uk"),
        ("https://acme.example/", "acme.example"),
        *(
            ("Acme", None),
            ("Acme.com Stadium", None),
            ("Dr. Oetker", None),
            ("E.ON", None),
            ("S.A.", None),
            ("x.com", None),
        ),
        *(("gmail.com", None), ("J.P. Morgan", None), ("n/a", None), ("Acme Inc.", None), ("", None), (None, None)),
    ],
)
def test_a_company_that_is_named_by_its_host(name: str | None, domain: str | None) -> None:
    assert employers.company_domain(name) == domain


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("https://pl.linkedin.com/company/alpha", "it is on a social network"),
        ("linktr.ee/z", "it is on a page of links"),
        ("acme.netlify.app", "it is on a host of many customers"),
        ("jean@sfr.fr", "it is a mailbox provider's"),
        ("https://google.com/maps/x", "it is a search or a map"),
        ("none@none.com", "it is a made-up name"),
        ("Self-employed", "it is a word for working alone"),
        ("[not provided]", "it is a placeholder for an unknown company"),
        ("", "nothing is there"),
        ("acme.example", ""),
        ("Acme", ""),
    ],
)
def test_why_there_is_no_employer(raw: str, why: str) -> None:
    assert employers.why_no_employer(raw) == why


@given(st.text())
def test_company_keys_never_fail(name: str) -> None:
    key = employers.company_key(name)
    assert key is None or key
    employers.company_domain(name)
    employers.why_no_employer(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Self-employed at home",
            "SelfEmployeed",
            "Freelance (Remote)",
            "Freelance Photographer & Designer",
            "Consultant",
        ),
        *("Consultante indépendante", "Selbständiger Berater", "Consulente indipendente", "Autoentrepreneur", "ИП"),
        *(
            "Stealth AI Startup",
            "Stealth SaaS",
            "test123",
            "TEST 1",
            "Test GmbH",
            "Not currently employed",
            "PhD Student",
        ),
        *("À compléter", "por definir", "Pas de société", "個人", "无", "Privé / particulier", "#N/A", "Test - Demo"),
    ],
)
def test_p4_neighbours_of_the_placeholders(name: str) -> None:
    assert employers.company_key(name) is None


def test_p7_spaces_and_hyphens_do_not_count() -> None:
    assert employers.company_key("Aero-Euro") == employers.company_key("AeroEuro") == employers.company_key("Aero Euro")
