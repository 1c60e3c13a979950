"""Is this text a phone number that may be written as a person's? One form for those that are.

Numbering plans come from phonenumbers (Google's libphonenumber); what they say stands in `numbering`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

import phonenumbers
from phonenumbers import Leniency, PhoneNumber, PhoneNumberFormat, PhoneNumberMatcher

from syncd.frozen import frozen

from . import numbering
from .countries import code
from .lines import Kind
from .numbering import NOT_IN_PLAN
from .unusable import Unusable

__all__ = ["NOT_IN_PLAN", "Kind", "Phone", "each", "read", "same"]

_FORMS = {"international": PhoneNumberFormat.INTERNATIONAL, "national": PhoneNumberFormat.NATIONAL}

_LONGEST = 100  # characters; phonenumbers itself looks at 250
_SEPARATORS = re.compile(
    r"[;|/,\r\n]|\b(?:or|and|ou|et|oder|und|o|y|e|of|en)\b|(?<=\d)\s+(?=\(?\+)|\s{3,}", re.IGNORECASE
)
_E164 = re.compile(r"\+[0-9]{7,15}")
_WHOLE = 7  # digits from which on a piece of text is a number of its own
_FAX = re.compile(r"\b(?:tele)?fax\b|\bt[ée]l[ée]copie", re.IGNORECASE)
_EXTENSION = re.compile(  # words for an extension that phonenumbers does not know: fr, de, nl, it, es, pt, pl
    r"[\s,;-]*\b(?:poste|durchwahl|dw|nst|toestel|tst|interno|extensi[oó]n|ramal|wewn)\b[.:\s]*(?=\d{1,6}$)",
    re.IGNORECASE,
)
_WORDS_AFTER = re.compile(r"[\s,;(\[-]*[^\W\d_][^\d]*$")  # "+44 … (mobile)"


@frozen(kw_only=True)
class Phone:
    """A number that may be written. `remarks` are phrases for people."""

    e164: str
    extension: str = ""
    kind: Kind | None = None
    remarks: tuple[str, ...] = ()

    @property
    def region(self) -> str | None:
        """Its country, as ISO 3166 alpha-2; None where nobody knows."""
        return numbering.region(phonenumbers.parse(self.e164))

    def written(self, form: Literal["e164", "international", "national"]) -> str:
        """With the extension, if there is one, as ` ext. 12`."""
        text = self.e164
        if form != "e164":
            text = phonenumbers.format_number(phonenumbers.parse(self.e164), _FORMS[form])
        return f"{text} ext. {self.extension}" if self.extension else text


def read(
    raw: str,
    *,
    region: str | None = None,
    countries: Sequence[tuple[str, str | None]] = (),
    said: Kind | None = None,
) -> Phone | Unusable:
    """A person's number in `raw`, or why there is none.

    `region` is told by the vendor with the number: with it, a number of a possible length is enough.
    `countries` are guesses, the best first: whose it is ("the contact's") and the country as a CRM holds it. A
    number read with a guess must be valid there and grouped as that country groups its numbers: +49 6 12 34 56 78
    would be valid, but "06 12 34 56 78" is a French number, whatever the contact's country.
    `said` is the vendor's own word for the kind, which goes before the numbering plan's.
    """
    return _read(raw, region, tuple(countries), said)


def each(raw: str) -> tuple[str, ...]:
    """The numbers in one text, as written, without those called fax: "+44 … / +33 …" has two. At least one item.

    `read` refuses a text with several, as nothing says which one is meant; who wants one of them tries each.
    """
    pieces = [piece.strip() for piece in _SEPARATORS.split(raw)]
    whole = [piece for piece in pieces if sum(c.isdigit() for c in piece) >= _WHOLE]
    if len(whole) < 2:
        return (raw,)
    return tuple(piece for piece in whole if not _FAX.search(piece)) or (raw,)


def same(one: str, other: str, *, countries: Sequence[str | None] = ()) -> bool:
    """Is it the same number and extension, however a CRM or a person has reworded it?

    A national number is read with `countries` (as a CRM holds them) and with the other's own country. Digits
    alone are compared only where neither text can be read.
    """
    if one.strip() == other.strip():
        return True
    if max(len(one), len(other)) > _LONGEST:
        return False
    regions = {region for country in countries if (region := code(country))}
    first, second = (_readings(text, regions | _region_of(by)) for text, by in ((one, other), (other, one)))
    if first or second:
        return not first.isdisjoint(second)
    return _digits(one) == _digits(other) != ""


@lru_cache(maxsize=2048)
def _read(
    raw: str, region: str | None, countries: tuple[tuple[str, str | None], ...], said: Kind | None
) -> Phone | Unusable:
    if _E164.fullmatch(raw):
        text = raw  # as most answers are: nothing is to be put in order
    elif why := _odd(raw):
        return Unusable(why)
    else:
        text = _tidy(raw)
    if number := _international(text):
        return _judged(number, said)
    if text.startswith("+"):
        return Unusable("not an international number")
    if told := code(region):
        number = _parsed(text, told)
        return _judged(number, said) if number else Unusable("not a phone number")
    return _guessed(text, countries, said)


def _odd(raw: str) -> str | None:
    if len(raw) > _LONGEST or not any(c.isdigit() for c in raw):
        return "not a phone number"
    if len(each(raw)) > 1:
        return "more than one number in one text"
    return "a fax number" if _FAX.search(raw) else None


def _guessed(text: str, countries: tuple[tuple[str, str | None], ...], said: Kind | None) -> Phone | Unusable:
    tried = []
    for whose, country in countries:
        if (region := code(country)) is None:
            continue
        number = _parsed(text, region)
        if number and _fits(number, text, region):
            return _judged(number, said, f"read with {whose} country ({region})")
        tried.append(f"{whose} country ({region})")
    if not tried:
        return Unusable("no country code, and no country is known")
    return Unusable(f"without a country code, and no number of {' or '.join(tried)}")


def _judged(number: PhoneNumber, said: Kind | None, *remarks: str) -> Phone | Unusable:
    line = numbering.line(number)
    if isinstance(line, Unusable):
        return line
    if said and line.kind not in {None, said, Kind.EITHER}:
        remarks += (f"called {said}, but {line.kind} in the numbering plan",)
    return Phone(
        e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
        extension=number.extension or "",
        kind=said or line.kind,
        remarks=(*remarks, *line.remarks),
    )


def _tidy(raw: str) -> str:
    """Digits and signs in their plain form, without labels before the number and words after it."""
    text = "".join(c for c in unicodedata.normalize("NFKC", raw) if unicodedata.category(c) not in {"Cf", "Cc"})
    text = _WORDS_AFTER.sub("", _EXTENSION.sub(" ext. ", text.strip()))
    return text[max(text.find("+"), 0) :]


def _international(text: str) -> PhoneNumber | None:
    """`+…`, or `00…` if what follows is a number that exists: not every country dials 00 for the others."""
    if text.startswith("+"):
        return _parsed(text, None)
    digits = text.lstrip(" (:.")
    if not digits.startswith("00"):
        return None
    number = _parsed(f"+{digits[2:]}", None)
    return number if number and _exists(number) else None


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    """With its country code, if the number begins with that of `region` and only its plus sign is missing."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    own = phonenumbers.country_code_for_region(region) if region else 0
    if own and not text.startswith("+") and _digits(text).startswith(str(own)):
        whole = _parsed(f"+{text}", None)
        return whole if whole and _exists(whole) else number
    return number


def _exists(number: PhoneNumber) -> bool:
    return phonenumbers.is_valid_number(number) or numbering.reserved(number) is not None


def _fits(number: PhoneNumber, text: str, region: str) -> bool:
    """Is a number that was read with a guessed country one of that country's, and written as they are?"""
    if numbering.reserved(number):
        return True
    if not phonenumbers.is_valid_number(number):
        return False
    if _digits(text) == phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]:
        return True  # with its country code, where only the plus sign is missing
    return next(iter(PhoneNumberMatcher(text, region, Leniency.STRICT_GROUPING, 1)), None) is not None


def _readings(raw: str, regions: set[str]) -> frozenset[tuple[str, str]]:
    """E.164 and extension, by each region that the number may be of."""
    return frozenset(_possible(raw, regions))


def _possible(raw: str, regions: set[str]) -> Iterator[tuple[str, str]]:
    text = _tidy(raw)
    whole = _international(text)
    for number in [whole] if whole else [_parsed(text, region) for region in regions]:
        if number and phonenumbers.is_possible_number(number):
            yield phonenumbers.format_number(number, PhoneNumberFormat.E164), number.extension or ""


def _region_of(raw: str) -> set[str]:
    number = _international(_tidy(raw))
    return {phonenumbers.region_code_for_country_code(number.country_code or 0)} if number else set()


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit()).lstrip("0")
