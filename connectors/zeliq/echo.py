"""Does an answer repeat any part of what Zeliq was told?

Nobody signs Zeliq's callbacks, so that a find which repeats nothing is not believed. Whether the answer is about
the right person is decided elsewhere, against all that is known of them; here one agreeing part is enough.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache
from urllib.parse import unquote

from anyascii import anyascii

from syncd.contract.model import Identity

_OWN_ID = "ACwAA"  # how LinkedIn's own ids begin; a profile has such an id and a handle that its owner chose
_WORD = 3  # letters: shorter parts of a handle agree by chance


def agrees(told: Identity, said: Identity) -> bool:
    """Is any part of `told` repeated by `said`? Profiles and hosts are expected in their canonical form."""
    return _profile(told, said) or _mailbox(told, said) or _employer(told, said) or _name(told, said)


def _profile(told: Identity, said: Identity) -> bool:
    """The same profile; or one that may be the same: a renamed handle, or an id beside a handle.

    LinkedIn's ids can't be compared with handles, and a handle that was renamed still shares a word with the
    former one or with the name: such an answer is for the pipeline to judge.
    """
    if not told.linkedin_url:
        return False
    if told.linkedin_url == said.linkedin_url:
        return True
    ours, theirs = _handle(told.linkedin_url), _handle(said.linkedin_url)
    if ours.startswith(_OWN_ID) or theirs.startswith(_OWN_ID):
        return bool(theirs) and ours.startswith(_OWN_ID) != theirs.startswith(_OWN_ID)
    return _in_handle(_words(theirs) | _names(said), ours)


def _in_handle(words: Set[str], handle: str) -> bool:
    letters = "".join(re.findall("[a-z]+", _fold(handle)))
    return any(len(word) >= _WORD and word in letters for word in words)


def _mailbox(told: Identity, said: Identity) -> bool:
    """The same address, or another one at the same host."""
    if not (told.email and said.email):
        return False
    return told.email.rpartition("@")[2].casefold() == said.email.rpartition("@")[2].casefold()


def _employer(told: Identity, said: Identity) -> bool:
    if told.domain and said.domain and _related(told.domain, said.domain):
        return True
    return bool(_words(told.company) & _words(said.company))


def _related(one: str, other: str) -> bool:
    return f".{one}".endswith(f".{other}") or f".{other}".endswith(f".{one}")


def _name(told: Identity, said: Identity) -> bool:
    """A word of the name, be it in the handle, or the whole of a surname however it is spaced."""
    if _in_handle(_names(told), _handle(said.linkedin_url)):
        return True
    surnames = _joined(told.last_name), _joined(said.last_name)
    return bool(_names(told) & _names(said)) or (surnames[0] == surnames[1] != "")


def _names(identity: Identity) -> frozenset[str]:
    words = _words(identity.first_name) | _words(identity.last_name) | _words(identity.full_name)
    return frozenset(word for word in words if len(word) > 1)


def _joined(name: str | None) -> str:
    return "".join(re.findall("[a-z]+", _fold(name))) if name else ""


def _words(raw: str | None) -> frozenset[str]:
    return frozenset(re.findall("[a-z]+", _fold(raw))) if raw else frozenset()


@lru_cache(maxsize=1_024)
def _fold(raw: str) -> str:
    """Latin letters without case and accents; `ae`, `oe` and `ue` count as `a`, `o` and `u`."""
    return re.sub("([aou])e", r"\1", anyascii(raw).casefold())


def _handle(profile: str | None) -> str:
    return unquote(profile.rpartition("/")[2]) if profile else ""
