"""Which part of a host name is somebody's own, by the public suffix list (publicsuffix.org). Pure.

The list has two sections. Suffixes of the first belong to registries. Those of the second were entered by companies
below whose names customers publish (`github.io`), and by registrars that sell names like a registry (`uk.com`).
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from .text import ends, listed

# Entries of the second section below which names are sold and used as those of a registry.
_REGISTRARS = listed("""
# CentralNic
za.bz br.com cn.com de.com eu.com jpn.com mex.com ru.com sa.com uk.com us.com za.com com.de gb.net hu.net jp.net
se.net uk.net ae.org com.se
# others that sell names below a generic suffix
co.com it.com hk.com gr.com africa.com in.net za.net za.org ru.net us.org hk.org jpn.org eu.org jozi.biz info.cx
# names of places and trades below a country
art.pl gliwice.pl krakow.pl poznan.pl wroc.pl zakopane.pl lodz.pl pabianice.pl plock.pl sieradz.pl skierniewice.pl
zgierz.pl krasnik.pl leczna.pl lubartow.pl lublin.pl poniatowa.pl swidnik.pl torun.pl gda.pl gdansk.pl gdynia.pl
med.pl sopot.pl bielsko.pl aeroport.fr avocat.fr chambagri.fr chirurgiens-dentistes.fr experts-comptables.fr
medecin.fr notaires.fr pharmacien.fr port.fr veterinaire.fr chirurgiens-dentistes-en-france.fr com.ru msk.ru spb.ru
nov.ru net.ru org.ru ac.ru edu.ru gov.ru int.ru mil.ru adygeya.ru bashkiria.ru dagestan.ru grozny.ru kalmykia.ru
marine.ru mordovia.ru nalchik.ru pyatigorsk.ru vladikavkaz.ru vladimir.ru msk.su spb.su nov.su sochi.su
# second levels that private registries run below a country
co.krd edu.krd ltd.ua inf.ua cc.ua biz.ua co.ua co.ca co.nl co.no co.dk biz.dk firm.dk reg.dk store.dk co.cz co.de
co.pl co.ro shop.ro rs.ba priv.at of.je inc.hk ltd.hk web.in co.bn gv.uy ir.md ngo.us radio.am radio.fm biz.ng
col.ng firm.ng gen.ng ltd.ng ngo.ng plc.ng co.scot me.scot org.scot online.th shop.th official.academy
# governments: each name below is a body of its own
gov.nl gov.scot campaign.gov.uk service.gov.uk copro.uk hosp.uk conn.uk independent-commission.uk
independent-inquest.uk independent-inquiry.uk independent-panel.uk independent-review.uk public-inquiry.uk
royal-commission.uk
""")
# Entered to keep sub-domains apart in browsers; the mail of the organisation's own people is there.
_ORGANISATIONS = listed("""
rub.de ruhr-uni-bochum.de debian.net freedesktop.org tech.orange
""")
# RFC 2606 and 6761: names for examples and tests. Each name below stands for a company of its own; `invalid` says
# that it is none.
_RESERVED = frozenset({"example", "test", "invalid", "example.com", "example.net", "example.org"})


class Parts(NamedTuple):
    """What the list says of a host."""

    registrable: str  # `acme.co.uk` of `mail.acme.co.uk`
    shared: bool  # it is, or lies below, a name under which customers of one company publish


@lru_cache(maxsize=4096)
def parts(host: str) -> Parts | None:
    """None where the host ends in no known suffix, or is one itself. Expects lower-case ASCII.

    `example.com` and its like are reserved suffixes and hosts as well.
    """
    name = host.removesuffix(".").lower()
    if not name or name[0] == "." or name[-1] == "." or ".." in name:
        return None
    below = ends(name)
    registries, companies = _lists()
    labels = _public(below, registries)
    if labels and labels < len(below):
        registrable = below[len(below) - labels - 1]
    elif host in _RESERVED and "." in host:
        registrable = host
    else:
        return None
    return Parts(registrable, 0 < _public(below, companies) <= len(below))


class _Rules(NamedTuple):
    exact: frozenset[str]
    below: frozenset[str]  # `*.ck`: every name below is a suffix
    exceptions: frozenset[str]  # `!www.ck`: this one is not


def _public(below: list[str], rules: _Rules) -> int:
    """How many labels at the end of a host are a suffix; 0 where none is. (One more than it has, below `*.`)"""
    for at, end in enumerate(below):
        labels = len(below) - at
        if end in rules.exceptions:
            return labels - 1
        if end in rules.below:
            return labels + 1 if at else labels
        if end in rules.exact:
            return labels
    return 0


@cache
def _lists() -> tuple[_Rules, _Rules]:
    """The two sections, each as a list of its own; about 2 MB, read at first need."""
    from publicsuffixlist import PSLFILE  # noqa: PLC0415

    first, _, second = Path(PSLFILE).read_text("utf-8").partition("// ===BEGIN PRIVATE DOMAINS===")
    private = _rules(second)
    registries = {*_rules(first), *(private & _REGISTRARS), *_RESERVED}
    companies = private - _REGISTRARS - _ORGANISATIONS
    return _sorted(registries), _sorted(companies)


def _sorted(rules: set[str]) -> _Rules:
    return _Rules(
        frozenset(rule for rule in rules if rule[0] not in "*!"),
        frozenset(rule[2:] for rule in rules if rule.startswith("*.")),
        frozenset(rule[1:] for rule in rules if rule.startswith("!")),
    )


def _rules(section: str) -> set[str]:
    """The rules in ASCII; the package would keep the Unicode form too."""
    lines = (line.split()[0] for line in section.splitlines() if line.strip() and not line.startswith("//"))
    return {rule if rule.isascii() else rule.encode("idna").decode("ascii") for rule in lines}
