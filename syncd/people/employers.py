"""What tells an employer: a host name of its own, or a company's name. Everything else tells none. Pure."""

# ruff: noqa: RUF001, RUF003 - the Cyrillic letters are meant

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from urllib.parse import unquote

import idna

from . import mailboxes, placeholders, shared_hosts, suffixes
from .text import address, listed, tidy, together, visible, words

_HOST = re.compile(r"^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{2,59})$")
_TYPED_APART = re.compile(r"\s*@\s*|\s+\.\s*")  # " ada @ acme . com "; "St. Gallen" has no space before the point
_BETWEEN = re.compile(r"\s*[,;|]\s*|\s+")  # several hosts in one field
# Searches and maps are pasted as a company's website; the search engines themselves are employers.
_SEARCHED = re.compile(
    r"^(?:www\.)?(?:google\.[a-z.]{2,6}/(?:maps|search|url)|bing\.com/(?:maps|search)|duckduckgo\.com/\?)",
    re.IGNORECASE,
)
# Typed where a form demands an address.
_MADE_UP = listed("""
none.com na.com noemail.com no-email.com nomail.com noreply.com nowebsite.com noweb.com nocompany.com test.com
asdf.com xxx.com null.com unknown.com domain.com mydomain.com yourdomain.com yourcompany.com mycompany.com
website.com yourwebsite.com companyname.com
""")

# "Müller & Söhne", "Müller und Söhne": en, de, fr/la, es, it/pt, nl, sv, da/no, ca/pl, fi, tr, ru/uk.
_AND = listed("""
and und et y e en och og i ja ve и та
""")
# Legal forms that cleanco's lists lack: written out, united from single letters, or younger than the lists.
_MORE_FORMS = """
se; ug; ug haftungsbeschränkt; haftungsbeschränkt; mbh; e.k; e.kfm; kgaa; gesellschaft mbh
gesellschaft mit beschränkter haftung; aktiengesellschaft; société anonyme; société par actions simplifiée
société à responsabilité limitée; s.à r.l; sàrl; sci; selarl; scp; srls; società per azioni
società a responsabilità limitata; sociedad anónima; sociedad limitada; slu; sau; s.l.u; s.a.u; s.a. de c.v
s.a.p.i. de c.v; s. de r.l. de c.v; sociedade anónima; unipessoal lda; lda; eireli; epp; s/a; aktiebolag
aktieselskab; anpartsselskab; aksjeselskap; osakeyhtiö; ivs; spółka akcyjna; spółka z ograniczoną odpowiedzialnością
sp. z o.o. sp.k; besloten vennootschap; bv; bvba; srl; kft; zrt; nyrt; doo; ooo; ao; пао; ао; зао; тов; a.ş; aş; şti
ltd. şti; san. ve tic; private limited; pvt; pvt ltd; pte; pty; pty limited; proprietary limited
public limited company; limited liability company; limited partnership; lllp; pbc; kk; gk; co., ltd; jsc; ojsc; pjsc
cjsc; fze; fzco; fz llc; w.l.l
"""
# On cleanco's lists, but said of countries or in ordinary words at the end of names ("Acme UK", "Sky at").
_NO_FORMS = frozenset({"uk", "nl", "at", "ee", "ok", "private", "et", "da", "ad", "pt", "ba"})
# Forms that stand before the name: "SARL Dupont", "ООО Ромашка", "PT Astra". Not sas, sa, as: names begin with them.
_LEADING = listed("""
sarl eurl sasu selarl ooo zao oao pao uab pt ooo ооо зао оао пао ао тов фоп ип sia
""")
# Written without spaces around them.
_EASTERN_FORMS = re.compile(
    "株式会社|有限会社|合同会社|股份有限公司|有限责任公司|有限公司|주식회사|유한회사|\\([株有주]\\)"
)


@lru_cache(maxsize=4096)
def host(raw: str | None) -> str | None:
    """The bare host, without `www.`, of a web address, a mail address or a host name; None if the text is none.

    Read as browsers read it (UTS 46, in ASCII form), and only with a suffix under which names are registered, or one
    that is reserved for examples: "Dr. Oetker" and "n/a" are no hosts.
    """
    if raw is not None and _HOST.fullmatch(raw) and "xn--" not in raw:
        return _known(raw)
    shown = visible(raw)
    return _host(shown) if shown is not None and len(shown) < 2048 else None


def domain(host: str) -> str | None:
    """The employer's registrable domain, `acme.co.uk` of `mail.acme.co.uk`; None where the host tells no employer.

    Expects what `host` returns. No employers: mailbox providers, hosts that many share, made-up names.
    """
    return _judged(host)[0]


@lru_cache(maxsize=4096)
def employer_host(*raws: str | None) -> str | None:
    """The first of the texts that is a host of an employer: the bare host, with its sub-domain."""
    for raw in raws:
        found = host(raw)
        if found is not None and domain(found) is not None and not _is_search(raw):
            return found
    return None


@lru_cache(maxsize=8192)
def company_key(name: str | None) -> str | None:
    """A company's name for comparing, without its legal form; None for placeholders and blanks.

    Equal: Acme Inc and Acme, Inc.; Müller & Söhne and Mueller und Soehne; The Acme Company and Acme. Not for showing.
    """
    plain = tidy(name)
    if plain is None or placeholders.why_placeholder(plain) is not None:
        return None
    return _key(plain)


def company_domain(name: str | None) -> str | None:
    """The registrable domain of a company whose name is a host ("Booking.com B.V."); None for other names."""
    first, *rest = (tidy(name) or "").split(" ")
    found = host(first)
    if found is None or (rest and _without_form(("x", *words(" ".join(rest)))) != ("x",)):
        return None
    own = domain(found)
    return own if own is not None and len(own.partition(".")[0]) > 1 else None


def why_no_employer(raw: str | None) -> str:
    """Why a website, a mail address or a company's name tells no employer, as a phrase; "" if it tells one."""
    plain = tidy(raw)
    if plain is None:
        return "nothing is there"
    found = host(raw)
    if found is None:
        kind = placeholders.why_placeholder(plain)
        return f"it is {kind}" if kind else ""
    return "it is a search or a map" if _is_search(raw) else _judged(found)[1]


@lru_cache(maxsize=8192)
def _host(shown: str) -> str | None:
    pieces = [piece for piece in _BETWEEN.split(shown) if piece.strip("/&")]
    if len(pieces) > 1 and "<" not in shown and all("." in piece for piece in pieces):
        hosts = [_host(piece) for piece in pieces]
        return hosts[0] if None not in hosts else None
    return _single(shown)


def _single(shown: str) -> str | None:
    bare = address(_TYPED_APART.sub(lambda found: found[0].strip(), shown) if " " in shown else shown)
    authority = re.split(r"[/?#]", bare, maxsplit=1)[0].rpartition("@")[2]
    name = _ascii(unquote(re.sub(r":\d*$", "", authority)).rstrip("."))
    if name is None or not _HOST.match(name):
        return None
    return _known(name)


def _known(name: str) -> str | None:
    """A host without `www.`, if it ends in a known suffix."""
    below = name.removeprefix("www.")
    return below if suffixes.parts(below) else name if suffixes.parts(name) else None


def _ascii(name: str) -> str | None:
    """As browsers do it: UTS 46 without the transitional forms; symbols are encoded, not dropped."""
    try:
        mapped = name.lower() if name.isascii() else idna.uts46_remap(name, std3_rules=False, transitional=False)
        return ".".join(_label(label) for label in mapped.split("."))
    except (ValueError, UnicodeError):
        return None


def _label(label: str) -> str:
    """One label in ASCII; raises ValueError where browsers refuse it."""
    if label.isascii():
        if label.startswith("xn--") and _label(_decoded(label)) != label:
            raise ValueError("an encoded label that is not in its one form")
        return label
    if unicodedata.category(label[0]).startswith("M"):
        raise ValueError("a label that begins with a mark")
    return "xn--" + label.encode("punycode").decode("ascii")


def _decoded(label: str) -> str:
    decoded = label[4:].encode("ascii").decode("punycode")
    if decoded.isascii() or idna.uts46_remap(decoded, std3_rules=False, transitional=False) != decoded:
        raise ValueError("an encoded label that needs no encoding")
    return decoded


@lru_cache(maxsize=8192)
def _judged(host: str) -> tuple[str | None, str]:
    """The employer's domain and "", or None and why there is none."""
    parts = suffixes.parts(host)
    if parts is None:
        return None, "it is no host name"
    shared = shared_hosts.why_shared(host, parts.registrable) or ("a host of many customers" if parts.shared else None)
    why = None
    if shared is not None:
        why = f"it is on {shared}"
    elif mailboxes.is_provider(host):
        why = "it is a mailbox provider's"
    elif host.endswith(".invalid") or parts.registrable in _MADE_UP:
        why = "it is a made-up name"
    return (None, why) if why else (parts.registrable, "")


def _is_search(raw: str | None) -> bool:
    shown = visible(raw)
    return shown is not None and _SEARCHED.match(address(shown)) is not None


def _key(plain: str) -> str | None:
    said = words(plain if plain.isascii() else _EASTERN_FORMS.sub(" ", unicodedata.normalize("NFKC", plain)))
    said = said[1:] if len(said) > 1 and said[0] == "the" else said
    kept = _without_form(said if _AND.isdisjoint(said) else _without_and(said))
    if kept == said and len(kept) > 1 and kept[0] in _LEADING:
        kept = kept[1:]
    return together(kept) or None


def _without_and(said: tuple[str, ...]) -> tuple[str, ...]:
    last = len(said) - 1
    return tuple(word for at, word in enumerate(said) if not (word in _AND and 0 < at < last) and word != "and")


def _without_form(said: tuple[str, ...]) -> tuple[str, ...]:
    """Without legal forms at the end, several too ("GmbH & Co. KG"); one word stays."""
    forms = _forms()
    if said and said[-1] not in _last_words():
        return said
    for length in range(min(5, len(said) - 1), 0, -1):
        if said[-length:] in forms:
            return _without_form(said[:-length])
    return said


@cache
def _last_words() -> frozenset[str]:
    return frozenset(form[-1] for form in _forms())


@cache
def _forms() -> frozenset[tuple[str, ...]]:
    from cleanco.termdata import terms_by_country, terms_by_type  # noqa: PLC0415

    listed = [term for terms in (*terms_by_type.values(), *terms_by_country.values()) for term in terms]
    split = {_without_and(words(term)) for term in (*listed, *re.split(r"[;\n]", _MORE_FORMS))}
    return frozenset(form for form in split if len("".join(form)) > 1 and "".join(form) not in _NO_FORMS)
