"""Is this text an address that may be written as a person's? One form for those that are, and what kind it is.

Syntax comes from email-validator; no DNS look-up is made. Disposable hosts come from disposable-email-domains.
Whose mailbox it is, is not asked here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from enum import StrEnum
from functools import cache, lru_cache

import idna

from syncd.frozen import frozen

from .mailboxes import is_provider
from .text import ends, listed
from .unusable import Unusable

__all__ = ["Kind", "Mailbox", "is_role", "read", "same"]


class Kind(StrEnum):
    WORK = "work"
    PERSONAL = "personal"  # at a provider that gives mailboxes to everybody
    ROLE = "role"  # a function's mailbox, read by whoever has it


@frozen()
class Mailbox:
    """`address` has its domain in lower-case ASCII (IDNA) and its local part as given; `remarks` are for people."""

    address: str
    kind: Kind
    remarks: tuple[str, ...] = ()


_LONGEST = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
_LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1
# Valid by any reading: plain words in lower case, and a host without the double hyphens of encoded labels.
_PLAIN = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*@(?:[a-z0-9](?:(?:[a-z0-9]|-(?!-)){0,61}[a-z0-9])?\.)+[a-z]{2,63}")

# Names that no public domain has; email-validator refuses the registered ones (RFC 6761: local, localhost, invalid,
# onion, arpa). `test` and `example` are left, as test installations live there.
_PRIVATE = frozenset({
    "internal",  # ICANN, 2024: for private use
    "alt",  # RFC 9476: for other name systems
    "corp", "home", "lan", "mail", "intranet", "localdomain", "private",  # ICANN does not delegate them
})  # fmt: skip

# Hosts that stand in for a domain in forms, manuals and vendors' masks (`email_not_unlocked@domain.com`).
_STAND_IN_HOSTS = listed("""
domain.com domain.net domain.org domain.tld domain.example mydomain.com yourdomain.com yourcompany.com
company.tld companyname.com email.tld website.com yoursite.com
""")

# Words in place of a name, by which vendors and forms say that there is no address, or none for this price.
_STAND_INS = re.compile(
    r"(?:(?:e-?mail[._-]?)?(?:not[._-]?)?(?:un)?(?:locked|available|known|disclosed|provided|verified)"  # vendors
    r"|(?:hidden|masked|redacted|protected|private|undisclosed|unlock)(?:[._-]?e?-?mail)?"
    r"|no[._-]?e?-?mail|none|null|undefined|unknown|invalid|placeholder|dummy|fake|example"  # fillers
    r"|(?:your|my|user|first|last|full)[._-]?(?:name|e?-?mail|address)|your[._-]?(?:first[._-]?)?name"  # forms
    r"|f(?:irst)?(?:name)?[._-]?last(?:name)?|name[._-]surname|prenom[._-]nom|vorname[._-]nachname|nombre[._-]apellido)"
)
_MASKED = re.compile(r"[*\u2026\u2022\u25cf\u25e6\u00b7\u2217\u2731#]|\?{2}|[-_]{3}|x{4}|\.{2}|^x{2,3}$", re.IGNORECASE)

# Senders that nobody reads, in English, French, German, Spanish, Portuguese, Italian, Dutch.
_NO_REPLY = re.compile(
    r"(?:^|[._+-])(?:"
    r"(?:no|not|do[._-]?not|dont|never)[._-]?(?:reply|replay|respond|response|answer)"
    r"|(?:ne[._-]?pas|pas[._-]?de|non?)[._-]?(?:repondre|reponse)|(?:keine|nicht)[._-]?antwort\w*"
    r"|n(?:o|ao)[._-]?(?:responde[rs]?|responda|conteste[sr]?|contestar)|non[._-]?rispond\w*"
    r"|niet[._-]?(?:be)?antwoord\w*|geen[._-]?antwoord|auto[._-]?(?:reply|respon[ds]e\w*)"
    r"|mail(?:er)?[._-]?daemon|bounces?|undeliverable|unsubscribe"
    r")(?:$|[._+\d=-])"
)

_ROLES = listed("""
# RFC 2142, mailbox names for common services, roles and functions
info marketing sales support abuse noc security postmaster hostmaster usenet news webmaster www uucp ftp
# who answers first, in English, French, German, Spanish, Portuguese, Italian, Dutch, Nordic and Polish
contact contacts contactus hello hi hey office team mail email post enquiries enquiry inquiries inquiry
reception frontdesk general questions feedback welcome
accueil bonjour secretariat standard bureau direction equipe renseignements
kontakt anfrage anfragen zentrale buero empfang sekretariat verwaltung hallo service poststelle
contacto hola informacion recepcion secretaria atencion oficina administracion
contato geral atendimento recepcao contatti contatto informazioni segreteria ufficio ciao
informatie receptie secretariaat firmapost kontoret biuro sekretariat posti toimisto
# departments, in the same languages
vente ventes commercial commerciale verkauf vertrieb ventas comercial vendas vendite verkoop salg sprzedaz myynti
hr humanresources recruiting recruitment recruiter jobs career careers hiring talent apply cv people
rh recrutement emploi carrieres candidature personal personalabteilung karriere bewerbung bewerbungen
rrhh empleo recursoshumanos vacatures personeel rekrutering praca rekrutacja
billing accounts accounting accountspayable accountsreceivable payable finance invoice invoices payments payroll
compta comptabilite facturation facture factures buchhaltung rechnung rechnungen facturacion contabilidad
financeiro amministrazione fatture facturatie administratie boekhouding faktura ksiegowosc
help helpdesk customerservice customercare customersupport service services care client clients serviceclient sav
kundenservice kundendienst klantenservice soporte suporte assistenza assistance supporto kundservice
press media pr communication communications presse prensa imprensa stampa pers newsroom
legal privacy dpo gdpr rgpd datenschutz compliance juridique
orders order shop store booking bookings reservations reservation commande commandes bestellung bestellungen
pedidos reservas prenotazioni logistics purchasing procurement achats einkauf compras acquisti inkoop
events partners partnership partnerships investors investorrelations ir newsletter notifications notification
alerts digital web website editor redaktion redaction
# machines and their keepers
admin administrator administrateur root sysadmin it dev devops system test tests testing user guest demo
mailing list lists automation
""")

# Roles that are also names of people: they count only where nothing else stands beside them.
_ALSO_NAMES = listed("post sales jobs it ir hi test people talent hr rh pr cv care service list web dev pers guest")

_NO_NAMES = _ROLES - _ALSO_NAMES
_BETWEEN = re.compile(r"[._\-+\d]+")

# What stands beside a role: `info-fr`, `sales.emea`; country codes are looked up.
_SCOPES = listed("team global europe emea apac latam intl international eu en desk dept department group us uk")


def read(raw: str) -> Mailbox | Unusable:
    """A usable address in `raw`, or why there is none."""
    return _read(raw)


def same(one: str, other: str) -> bool:
    """Is it the same mailbox? Case, `mailto:` and the form of an international domain make no difference."""
    return compared(one) == compared(other)


def is_role(address: str) -> bool:
    """Is it a function's mailbox (`info@`, `sales-fr@`, `support2@`) rather than a person's?"""
    local, _, host = address.casefold().partition("@")
    words = [word for word in _BETWEEN.split(local.partition("+")[0]) if word]
    if "".join(words) in _ROLES:  # customer.service
        return True
    if _ROLES.isdisjoint(words):
        return False
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - not every process has mailboxes to look at

    if all(word in _ROLES or word in _SCOPES or word.upper() in SUPPORTED_REGIONS for word in words):
        return True
    return words[0] in _NO_NAMES and not is_provider(host)  # info-lyon@, but contact.jane@ at a provider


@lru_cache(maxsize=2048)
def _read(raw: str) -> Mailbox | Unusable:
    text = raw.strip()
    local, _, host = text.rpartition("@")
    if why := _stand_in(local.casefold(), host.casefold()):
        return Unusable(why)
    if len(text) > _LONGEST:
        return Unusable("too long for an address")
    if _PLAIN.fullmatch(text) and len(local) <= _LONGEST_LOCAL and host.rpartition(".")[2] not in _special():
        return _judged(local, host, ())  # as most are: nothing is left for the package to find
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - slow to import, not needed at rest

    try:
        # `test_environment` admits the domain `test`
        found = validate_email(
            text, check_deliverability=False, test_environment=True, allow_smtputf8=False, strict=True
        )
    except EmailNotValidError:
        return Unusable("not a valid e-mail address")
    remarks = () if found.ascii_domain == host.casefold() else ("the domain is written in its ASCII form",)
    return _judged(found.local_part, found.ascii_domain, remarks)


@cache
def _special() -> frozenset[str]:
    from email_validator import SPECIAL_USE_DOMAIN_NAMES  # noqa: PLC0415 - as above

    return frozenset(SPECIAL_USE_DOMAIN_NAMES) - {"test"}


def _judged(local: str, host: str, remarks: tuple[str, ...]) -> Mailbox | Unusable:
    if "." not in host or host.rpartition(".")[2] in _PRIVATE:
        return Unusable("the domain is no public one")
    if _is_disposable(host):
        return Unusable("a disposable address")
    address = f"{local}@{host}"
    if is_role(address):
        return Mailbox(address, Kind.ROLE, remarks)
    return Mailbox(address, Kind.PERSONAL if is_provider(host) else Kind.WORK, remarks)


def _stand_in(local: str, host: str) -> str | None:
    if _MASKED.search(local) or "*" in host or "\u2026" in host:
        return "a masked address"
    if host in _STAND_IN_HOSTS or _STAND_INS.fullmatch(local):
        return "a stand-in for an address"
    unread = _NO_REPLY.search(local) or "noreply" in host.split(".")
    return "an address that nobody reads" if unread else None


def _is_disposable(host: str) -> bool:
    return not _disposable().isdisjoint(ends(host)[:-1])


@cache
def _disposable() -> set[str]:
    """Imported at first need (1.3 MB): not every process has addresses to judge. The package's own set, uncopied."""
    from disposable_email_domains import blocklist  # noqa: PLC0415

    hosts: set[str] = blocklist
    return hosts


def compared(raw: str) -> str:
    """The form in which addresses are compared: equal for one mailbox. Of a text that is none, some text."""
    local, at, host = raw.strip().casefold().removeprefix("mailto:").rpartition("@")
    if not host.isascii():
        with suppress(idna.IDNAError, UnicodeError):  # else it is compared as it stands
            host = idna.encode(host, uts46=True).decode("ascii")
    return f"{local}{at}{host}"
