"""E-mails and phones in the one form in which they are compared, judged and written. Pure."""

from __future__ import annotations

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from syncd.contract.model import Candidate, Field

_NAMES = {  # countries as people write them out; codes need no entry
    "france": "FR", "germany": "DE", "deutschland": "DE", "united kingdom": "GB", "uk": "GB",
    "great britain": "GB", "england": "GB",
    "united states": "US", "united states of america": "US", "usa": "US", "spain": "ES", "españa": "ES",
    "italy": "IT", "italia": "IT", "portugal": "PT", "belgium": "BE", "belgique": "BE", "netherlands": "NL",
    "switzerland": "CH", "suisse": "CH", "schweiz": "CH", "austria": "AT", "österreich": "AT", "ireland": "IE",
    "sweden": "SE", "norway": "NO", "denmark": "DK", "finland": "FI", "poland": "PL", "canada": "CA", "australia": "AU",
    "india": "IN", "brazil": "BR", "brasil": "BR", "mexico": "MX", "luxembourg": "LU", "czechia": "CZ", "japan": "JP",
}  # fmt: skip


def normal(field: Field, candidate: Candidate, country: str | None) -> str | None:
    """The value as it would be written, or None when it is no usable value at all."""
    if field is Field.EMAIL:
        return email(candidate.value)
    return phone(candidate.value, candidate.region or country)


def email(raw: str) -> str | None:
    """A syntactically valid address with a lower-case domain; no DNS look-up is made."""
    try:
        return validate_email(raw.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return None


def phone(raw: str, country: str | None) -> str | None:
    """E.164. A number without its country code is read as one of `country`'s."""
    try:
        number = phonenumbers.parse(raw, region(country))
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def region(country: str | None) -> str | None:
    """ISO 3166 alpha-2 of a country as a CRM holds it, or None."""
    if not country:
        return None
    text = country.strip()
    code = text.upper() if len(text) == 2 else _NAMES.get(text.casefold())
    return code if code in phonenumbers.SUPPORTED_REGIONS else None


def same(field: Field, one: str, other: str) -> bool:
    """Is it the same value, however a CRM has reworded it?"""
    if one.strip() == other.strip():
        return True
    if field is Field.EMAIL:
        return one.strip().casefold() == other.strip().casefold()
    digits = ["".join(c for c in text if c.isdigit()).lstrip("0") for text in (one, other)]
    return digits[0] == digits[1] != ""
