"""Countries as CRMs and vendors hold them, as ISO 3166 alpha-2 codes.

Codes and names come from pycountry (Debian's iso-codes). What stands here is what that list lacks, and the
most usual names, which are answered without loading it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from gettext import GNUTranslations
from pathlib import Path

_LANGUAGES = (  # of the markets that the CRMs are sold in; each costs about 50 kB
    "fr", "de", "es", "it", "pt", "pt_BR", "nl", "sv", "da", "nb_NO", "fi", "pl", "cs", "hu", "ro", "tr", "el",
    "ru", "uk", "ja", "zh_CN", "ko",
)  # fmt: skip

_USUAL = {  # the names that CRMs hold most often: they spare most installations the whole table
    "AT": "austria, osterreich, aut", "AU": "australia, aus", "BE": "belgium, belgique, belgie, bel",
    "BR": "brazil, brasil, bra", "CA": "canada, can", "CH": "switzerland, suisse, schweiz, che",
    "CN": "china, chn", "DE": "germany, deutschland, allemagne, deu", "DK": "denmark, danmark, dnk",
    "ES": "spain, espana, espagne, esp", "FI": "finland, suomi, fin", "FR": "france, frankreich, fra",
    "GB": "united kingdom, great britain, gbr", "IE": "ireland, irl", "IN": "india, ind",
    "IT": "italy, italia, ita", "JP": "japan, jpn", "LU": "luxembourg, lux", "MX": "mexico, mex",
    "NL": "netherlands, nederland, nld", "NO": "norway, norge, nor", "PL": "poland, polska, pol",
    "PT": "portugal, prt", "SE": "sweden, sverige, swe", "US": "united states, united states of america, usa",
}  # fmt: skip

_OTHER = (
    # codes outside ISO 3166-1 in general use: reserved for the United Kingdom, the EU's for Greece and for Kosovo
    ("GB", "uk"), ("GR", "el"), ("XK", "kosovo, kosova, xkx"),
    # parts of a country that people write in its place; they share its numbering plan
    ("GB", "england, scotland, wales, northern ireland, britain, angleterre, inglaterra, inghilterra"),
    ("NL", "holland, hollande, holanda, olanda"),
    ("US", "america, amerique, amerika, etats unis amerique, vereinigte staaten amerika, eeuu, アメリカ, 미국"),
    # names of everyday use that are neither the official nor the common one in iso-codes
    ("AE", "uae, emirates"), ("BA", "bosnia"), ("BN", "brunei"), ("CD", "dr congo, drc, congo kinshasa"),
    ("CG", "congo brazzaville"), ("CI", "ivory coast"), ("CN", "mainland china, prc"), ("CV", "cape verde"),
    ("CZ", "czech republic, czechia, tchequie, tschechei"), ("FK", "falklands"), ("FM", "micronesia"),
    ("GB", "grossbritannien, vk, великобритания, イギリス"), ("HK", "hong kong, hong kong sar"),
    ("IE", "eire, republic ireland"), ("KR", "korea, south korea, rok, 한국"), ("KP", "north korea, dprk"),
    ("LA", "laos"), ("MK", "macedonia, fyrom"), ("MM", "burma"), ("MO", "macau"), ("PS", "palestine"),
    ("RU", "russia, россия"), ("SA", "ksa"), ("SY", "syria"), ("SZ", "swaziland"), ("TL", "east timor"),
    ("TR", "turkey"), ("US", "сша"), ("VA", "vatican"), ("VC", "saint vincent"),
    # umlauts written as two letters, as forms without them do
    ("AT", "oesterreich"), ("DE", "federal republic germany, brd"), ("GB", "vereinigtes koenigreich"),
    ("TR", "tuerkei"), ("DK", "daenemark"), ("RO", "rumaenien"), ("EG", "aegypten"),
)  # fmt: skip

_SMALL_WORDS = frozenset({  # articles and the like: "The Netherlands", "Korea, Republic of", "La Réunion"
    "the", "of", "and",  # English
    "la", "le", "les", "l", "du", "des", "de", "d", "et",  # French
    "der", "die", "das", "und", "von",  # German
    "el", "los", "las", "del", "y",  # Spanish
    "il", "della", "dei", "degli", "e",  # Italian
    "do", "da", "dos", "o", "os", "as",  # Portuguese
    "het", "van", "en",  # Dutch
    "og", "och", "ja", "i", "a",  # Nordic and Slavic "and"
})  # fmt: skip

_NOT_TOLD = frozenset({"n/a", "n.a.", "n.a", "n. a."})  # "not available", which would read as Namibia's NA
_PARTS = re.compile(r"[(),/|]|\s[-\u2013]\s")


def code(raw: str | None) -> str | None:
    """ISO 3166-1 alpha-2 of a country given as a code or as a name in a usual language, or None.

    Also known are the codes outside the standard that numbering plans use, such as `XK` (Kosovo).
    """
    return None if raw is None else _code(raw)


@lru_cache(maxsize=1024)  # a CRM says "United Kingdom" a hundred thousand times
def _code(raw: str) -> str | None:
    if len(raw) > 100 or raw.strip().casefold() in _NOT_TOLD:
        return None
    return _find(_fold(raw)) or _agreed(_PARTS.split(raw)) or _find(_fold(raw.partition("(")[0]))


def _agreed(parts: list[str]) -> str | None:
    """The country that all parts mean: "France (FR)", "US - United States", but not "Atlanta, Georgia"."""
    found = {_find(_fold(part)) for part in parts if part.strip()}
    return found.pop() if len(found) == 1 else None


def _find(name: str) -> str | None:
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - not every process has countries to look up

    if (upper := name.upper()) in SUPPORTED_REGIONS:
        return upper
    return _usual().get(name) or (_all().get(name) if name else None)


def _fold(raw: str) -> str:
    """Words in lower case without accents, dots and small words, sorted: "Korea, Republic of" = "Republic of Korea"."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", raw) if not unicodedata.combining(c)).casefold()
    plain = plain.replace(".", "").replace("ø", "o").replace("ł", "l").replace("\u0131", "i")
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    if all(len(word) == 1 for word in words):  # "U S A"
        return "".join(words)
    kept = [word for word in words if word not in _SMALL_WORDS] if len(words) > 1 else words
    return " ".join(sorted("saint" if word == "st" else word for word in kept))


@cache
def _usual() -> dict[str, str]:
    return {_fold(name): of for of, names in (*_USUAL.items(), *_OTHER) for name in names.split(", ")}


@cache
def _all() -> dict[str, str]:
    """Names in all languages; English decides before the others. A name that one language has twice is not kept."""
    table: dict[str, str] = {}
    for names in _names():
        new: dict[str, str | None] = {}
        for name, of in names:
            new[name] = of if new.get(name, of) == of else None
        table = {name: of for name, of in new.items() if of} | table
    return table


def _names() -> Iterator[Iterable[tuple[str, str]]]:
    """Folded names with their codes: English first, then one language after the other."""
    import pycountry  # noqa: PLC0415  # 5 MB and 0.1 s, not needed where a CRM holds codes and usual names only

    entries = [
        (said, str(country.alpha_2))
        for country in pycountry.countries
        for said in {
            getattr(country, key, None) for key in ("name", "common_name", "official_name", "alpha_3", "alpha_2")
        }
        if said
    ]
    yield [(_fold(name), of) for name, of in entries]
    for language in _LANGUAGES:
        path = Path(pycountry.LOCALES_DIR, language, "LC_MESSAGES", "iso3166-1.mo")
        with path.open("rb") as file:
            words = GNUTranslations(file).gettext  # `gettext.translation` would keep every catalogue in memory
        yield [(_fold(words(name)), of) for name, of in entries]
