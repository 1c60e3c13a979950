"""What numbering plans say of a number: the kind of line, or why no person can be reached under it."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType, ValidationResult

from syncd.frozen import frozen

from .lines import Kind
from .unusable import Unusable

phonenumbers.enable_pattern_cache()  # its patterns are more than `re` keeps: they would be compiled again and again


NOT_IN_PLAN = "not in the numbering plan"
PERSONAL_NUMBER = "a personal number, which is forwarded to another line"

_KINDS = {
    PhoneNumberType.MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE: Kind.FIXED,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: Kind.EITHER,
    PhoneNumberType.VOIP: Kind.VOIP,
    # PERSONAL_NUMBER (+44 70, +49 700, +1 500) reaches its owner, but nothing says on what kind of line
}

_REFUSED = {  # numbers of firms and services, most of them dear for the caller
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.TOLL_FREE: "a toll-free number: a company's line, no person's",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.UAN: "a company-wide number (UAN), no person's",
    PhoneNumberType.VOICEMAIL: "a voicemail access number",
}

_LENGTHS = {
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "a local number without its area code",
    ValidationResult.TOO_SHORT: "too short for its country",
    ValidationResult.TOO_LONG: "too long for its country",
    ValidationResult.INVALID_LENGTH: "of a length that its country does not have",
    ValidationResult.INVALID_COUNTRY_CODE: "no country has this code",
}

# Ranges that regulators keep free for drama and tests, as far as phonenumbers has no kind for them. Test
# installations live on them, so they are read like the country's other numbers.
_RESERVED = (  # digits with the country code, how many there are in all, kind, region
    ("3363998", 11, Kind.MOBILE, "FR"),  # Arcep, numbering plan, "œuvres audiovisuelles"
    ("447700900", 12, Kind.MOBILE, "GB"),  # Ofcom, "Telephone numbers for use in TV and radio drama programmes"
    ("441632960", 12, Kind.FIXED, "GB"),  # Ofcom, no area
    ("441154960", 12, Kind.FIXED, "GB"),  # Ofcom, Nottingham
    ("3532091", 12, Kind.FIXED, "IE"),  # ComReg, "Numbering Conditions of Use"
)

_GLOBAL = "001"  # phonenumbers' region of codes that belong to no country: satellite, freephone, networks
_AREA_AND_EXCHANGE = re.compile(r"[2-9]\d\d[2-9]\d{6}")  # North American numbers; neither begins with 0 or 1
_COUNTING = "12345678901234567890"


@frozen()
class Line:
    """What the plan tells: `kind` is None where it does not."""

    kind: Kind | None
    remarks: tuple[str, ...] = ()


def line(number: PhoneNumber) -> Line | Unusable:
    """The line behind a number, or why no person can be reached under it.

    A number that is missing from the plan is not refused, as new ranges reach the package late: it has a remark.
    """
    length = phonenumbers.is_possible_number_with_reason(number)
    if length != ValidationResult.IS_POSSIBLE:
        return Unusable(_LENGTHS[length])
    if phonenumbers.region_code_for_country_code(number.country_code or 0) == _GLOBAL:
        return Unusable("a satellite or other global network's number")
    digits = phonenumbers.national_significant_number(number)
    if _stand_in(digits):
        return Unusable("a stand-in: its digits are all equal, zero or counted up")
    found = phonenumbers.number_type(number)
    if found == PhoneNumberType.UNKNOWN:
        return _unplanned(number, digits)
    if why := _REFUSED.get(found):
        return Unusable(why)
    remarks = (PERSONAL_NUMBER,) if found == PhoneNumberType.PERSONAL_NUMBER else ()
    return Line(_KINDS.get(found), remarks)


def reserved(number: PhoneNumber) -> tuple[Kind, str] | None:
    """Kind and region, if the number is kept free for drama and tests and phonenumbers has no kind for it."""
    digits = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    for start, length, kind_, region_ in _RESERVED:
        if digits.startswith(start) and len(digits) == length:
            return kind_, region_
    return None


def _stand_in(digits: str) -> bool:
    """+10000000000 and +33600000000, but not +44 7700 900000, which is a number like others."""
    run = len(digits) - len(digits.rstrip(digits[-1]))
    return run >= min(7, max(5, len(digits) - 2)) or digits in _COUNTING


def _unplanned(number: PhoneNumber, digits: str) -> Line | Unusable:
    if known := reserved(number):
        return Line(known[0], (NOT_IN_PLAN,))
    if number.country_code == 1 and not _AREA_AND_EXCHANGE.fullmatch(digits):
        return Unusable("no such area code or exchange in North America")
    if len(digits) < 7:  # shorter lines exist on small islands, and these are in the plan
        return Unusable("a short code")
    return Line(None, (NOT_IN_PLAN,))


def region(number: PhoneNumber) -> str | None:
    """Its country (ISO 3166 alpha-2), or None where several share the code and the plan does not know the number."""
    if known := reserved(number):
        return known[1]
    sharing = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    return sharing[0] if len(sharing) == 1 else phonenumbers.region_code_for_number(number)
