"""Is an answer about the person we asked about? Compares what was sent with what came back.

What is not echoed contradicts nothing, and another spelling of a name is not another name; a
contradiction means that the value must not be written without a person's look.
"""

from __future__ import annotations

import re
import unicodedata

from .model import Identity

_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "a", "œ": "o"})


def contradicts(sent: Identity, echo: Identity) -> bool:
    """Do two tidy identities speak of different people? Only what both hold is compared."""
    if sent.linkedin_url and echo.linkedin_url and _is_number(sent.linkedin_url) == _is_number(echo.linkedin_url):
        return sent.linkedin_url != echo.linkedin_url
    if sent.email and echo.email and sent.email.casefold() != echo.email.casefold():
        return True
    if sent.domain and echo.domain and not _related(sent.domain, echo.domain):
        return True
    return _other_name(sent.last_name, echo.last_name) or _other_name(sent.first_name, echo.first_name)


def _is_number(profile: str) -> bool:
    """`/in/ACwAA…` is LinkedIn's own id: it can be the same profile as a handle that was chosen."""
    return "/in/ACwAA" in profile


def _related(one: str, other: str) -> bool:
    return f".{one}".endswith(f".{other}") or f".{other}".endswith(f".{one}")


def _other_name(sent: str | None, echoed: str | None) -> bool:
    """Both are known, in the same kind of script, and no word of one begins one of the other."""
    ours, theirs = _words(sent), _words(echoed)
    if not ours or not theirs or "".join(ours).isascii() != "".join(theirs).isascii():
        return False
    return not any(a.startswith(b) or b.startswith(a) for a in ours for b in theirs)


def _words(name: str | None) -> frozenset[str]:
    """Words without case and accents; `ae`, `oe` and `ue` count as `ä`, `ö` and `ü`."""
    letters = unicodedata.normalize("NFKD", (name or "").casefold().translate(_LETTERS))
    plain = "".join(c for c in letters if not unicodedata.combining(c))
    return frozenset(re.findall(r"[^\W\d_]+", re.sub(r"([aou])e", r"\1", plain)))
