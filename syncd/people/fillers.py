"""Names that are nobody's: what people type to get past a form, and what programs put in place of a name. Pure.

Strong fillers are no words of names ("[not provided]", "-", a mail address): one of them spoils its own part. Weak ones
are words that some people are called ("Test", "Null", "Na"), or that name a department: they count only where nothing
else is there.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from .text import fold, listed, together, words

# Written together, as `text.words` folds them.
_STRONG = """
# nothing is known
unknown notprovided notavailable notapplicable notspecified notknown notgiven noneprovided undefined unnamed
noname nolastname nofirstname nosurname missingname unbekannt nichtbekannt inconnu inconnue nonrenseigné sansnom
desconocido desconocida sinnombre sinapellido sconosciuto sconosciuta desconhecido desconhecida semnome onbekend
okänd ukjent ukendt nieznany nieznana neznámý neznámá неизвестно неизвестный anonymous anonymized anonymised
anonymisiert fnu lnu tbd tba tbc
nn nonegiven nln
# the label of the field itself
surname firstlast
firstname lastname fullname givenname familyname yourname yourfirstname yourlastname firstnamelastname
namelastname vorname nachname familienname prénom nomdefamille nomprénom prénomnom apellido apellidos
nombreyapellidos cognome sobrenome voornaam achternaam förnamn efternamn fornavn etternavn efternavn imię
nazwisko
# left behind by clean-ups
deleted deleteduser deletedcontact redacted donotuse donotcontact donotcall gdprdeleted gdprremoved
invalidcontact
# keys side by side
asdf asdfg asdfgh asdfghj asdfghjk asdfghjkl qwer qwert qwerty qwertz qwertyuiop azerty zxcv zxcvb zxcvbn
zxcvbnm yxcv
"""
_WEAK = """
# the same in other languages
prueba essai probe prova teste тест тестов тестовый 测试 テスト 테스트
# typed to try something out
test tests testing tester testuser testcontact testlead testname demo sample example dummy fake foo bar baz
foobar asd qwe abc blah bla lorem ipsum x xx xy xyz
# a missing value as programs print it
null none nil nan na nn nd blank empty missing no false true
# who it is, instead of the name
name user username contact person customer client lead guest visitor member nobody someone somebody anybody mr
mrs ms miss sir madam herr frau monsieur madame mme signor signora señor señora nom nombre nome naam namn
mctest world front desk department dept manager owner director new the linkedin facebook google sdf sdfsdf dfg jkl
asdasd def first last
# a department or a mailbox instead of a person
info information sales team support admin administrator office reception marketing billing accounting accounts
accountspayable payable invoices invoice hr humanresources helpdesk help desk service customerservice webmaster
noreply reply hello mail email contactus purchasing procurement company kontakt vertrieb buchhaltung empfang
sekretariat büro comptabilité accueil secrétariat commercial ventas ventes administración contabilidad vendite
amministrazione
"""
_DIGITS = "0123456789"
_ONE_LETTER = re.compile(r"(.)\1{2,}")  # "xxx", "aaaa"
_TEMPLATE = re.compile(r"[\[<{].*[\]>}]|%.+%|\$\{?\w+\}?|\*\|.+\|\*")  # "[not provided]", "{{first_name}}", "%FNAME%"
_WEB = re.compile(r"://|^www\.|\.(?:com|net|org|info|biz|io|co\.uk)(?:/|$)", re.IGNORECASE)
_NOT_AVAILABLE = re.compile(r"#?n\s?[/.\\]\s?[ads]\.?", re.IGNORECASE)  # "Na" alone is a name


def why_not(first: str | None, last: str | None, full: str | None = None) -> str | None:
    """Why these are no person's names, as a short phrase without the names themselves; None if they may be.

    Expects tidy text. `full` is looked at only where the others are blank. That a name is missing is no reason here.
    """
    if not (first or last):
        return _why_not_full(full) if full else None
    for part, label in ((first, "the first name"), (last, "the last name")):
        strong = _strong(part) if part else None
        if strong:
            return f"{label} {strong}"
    return "the name is a placeholder" if _all_weak(first, last) else None


def clean(first: str | None, last: str | None) -> tuple[str | None, str | None]:
    """The names without the parts that are fillers; both None if nothing else is there. Expects tidy text."""
    kept_first = first if first and not _strong(first) else None
    kept_last = last if last and not _strong(last) else None
    return (None, None) if _all_weak(kept_first, kept_last) else (kept_first, kept_last)


def _all_weak(first: str | None, last: str | None) -> bool:
    """Is each part a weak filler, or do both make a strong one ("Not", "Available")?"""
    given = [part for part in (first, last) if part]
    if len(given) == 2 and all(_is_plain(part) for part in given):
        return _both_weak(*given)
    return all(_is_weak(part) for part in given) or _strong(" ".join(given)) == "is a placeholder"


def _why_not_full(full: str) -> str | None:
    strong = _strong(full)
    if strong:
        return f"the name {strong}"
    pieces = full.split(" ")
    return "the name is a placeholder" if all(_strong(piece) or _is_weak(piece) for piece in pieces) else None


@lru_cache(maxsize=4096)
def _strong(part: str) -> str | None:
    """What is wrong with a part that can't be one of a name ("is a placeholder"), or None."""
    if _is_plain(part):
        return "is a placeholder" if _known(fold(part), _lists()[0]) or _is_one_letter(part) else None
    if "@" in part:
        return "is a mail address"
    if _WEB.search(part):
        return "is a web address"
    if not any(c.isalpha() for c in part):
        return "is a number" if any(c.isdigit() for c in part) else "holds no letter"
    said = words(part)
    filler = _TEMPLATE.fullmatch(part) or _NOT_AVAILABLE.fullmatch(part) or _all_in(said, _lists()[0])
    return "is a placeholder" if filler or _ONE_LETTER.fullmatch(re.sub(r"[\W_]", "", part.lower())) else None


@lru_cache(maxsize=4096)
def _is_weak(part: str) -> bool:
    """Is each word a word that stands in for a name? "Test 2" and "Sales Team" are."""
    any_ = _lists()[1]
    if _is_plain(part):
        return _known(fold(part).rstrip(_DIGITS), any_)
    said = tuple(word.rstrip(_DIGITS) for word in words(part))
    return _all_in(tuple(word for word in said if word), any_)


def _is_plain(part: str) -> bool:
    """Is it one word of ASCII letters, as most names are? Digits may stand among them."""
    return part.isascii() and part.isalnum() and not part.isdigit()


def _known(word: str, known: frozenset[str]) -> bool:
    return word in known or fold(word) in known


def _both_weak(first: str, last: str) -> bool:
    """`_all_weak` of two plain words of which neither is a strong filler."""
    if _is_weak(first) and _is_weak(last):
        return True
    return fold(fold(first) + fold(last)) in _lists()[0] or _is_one_letter(first + last)


def _is_one_letter(word: str) -> bool:
    return len(word) > 2 and word.lower().count(word[0].lower()) == len(word)


def _all_in(said: tuple[str, ...], known: frozenset[str]) -> bool:
    return together(said) in known or (bool(said) and known.issuperset(said))


@cache
def _lists() -> tuple[frozenset[str], frozenset[str]]:
    """The strong words, and all of them, folded."""
    strong, weak = (frozenset(together(words(word)) for word in listed(block)) for block in (_STRONG, _WEAK))
    return strong, strong | weak
