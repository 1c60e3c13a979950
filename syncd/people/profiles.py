"""LinkedIn profiles in one form, whatever form a browser, an app or a person showed. Pure."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import parse_qs, quote, unquote

from .text import address, listed, visible

_SITES = ("linkedin.com", "linkedin.cn")
# What may stand before /in/: the mobile sites, links in LinkedIn's mails, the site for China.
# And a language.
_BEFORE = re.compile(r"mwlite|m|comm|incareer|(?!in$)[a-z]{2}(?:[-_][a-z]{2})?", re.IGNORECASE)
# What stands in a handle's place where a program or a person put a whole address behind "/in/".
_AGAIN = re.compile(r"https?:?|(?:[a-z]{2,3}\.)?linkedin\.com|in", re.IGNORECASE)
# Pages that LinkedIn shows to those who are not signed in; the profile they asked for is in the query.
_WALLS = frozenset({"authwall", "login", "uas", "signup", "checkpoint", "redir"})
_WANTED = ("sessionRedirect", "session_redirect", "url")

# LinkedIn's own ids (of members, told by its APIs and by Sales Navigator) are base64: their case matters.
_MEMBER = re.compile(r"AC[ow]AA[A-Za-z0-9_-]+")
# The same in lower case, in the length that real ids have: it lost what tells one member from another.
_SPOILT_MEMBER = re.compile(r"ac[ow]aa[a-z0-9_-]{30,}")
# Shortened for showing ("/in/jane-d…"): the rest of the handle is not known.
_SHORTENED = re.compile(r"/in/[^/?#\s]*(?:\.\.|\u2026)", re.IGNORECASE)
# Handles hold no ASCII signs but these: - _ . '
_FOREIGN = re.compile(r"[\x00-\x20!-&(-,/:-@\[-^`{-\x7f\ufffd]|\s")

_PLAIN = re.compile(r"(?:https?://)?(?:www\.|[a-z]{2}\.)?linkedin\.com/in/([a-z0-9][a-z0-9-]*)/?")

# Handles that identify nobody. Compared without hyphens and underscores.
_PLACEHOLDERS = listed("""
# pages of the one who is signed in, pasted from the browser's bar; LinkedIn's stand-in for a hidden profile
me edit unavailable new view settings feed home login signup search public publicprofile
# what programs print for a value that is missing
null undefined none nil nan na false true unknown notfound notavailable notprovided missing
# the words of forms and manuals that ask for a handle
username user profile profil perfil handle name yourname yourprofile yourhandle yourusername myname myprofile
firstnamelastname firstlast firstname lastname fullname linkedin linkedinprofile example test xxx xxxx
# stand-ins of LinkedIn and of programs for members who are gone or hidden
headless linkedinuser linkedinmember deleted deleteduser unknownuser nonenone nullnull undefinedundefined objectobject
# what manuals show, and pieces of an address
yourlinkedin yourlinkedinurl yourlinkedinprofile yourcustomurl yourpublicurl yourprofileurl http https www in
""")


def read(raw: str | None) -> str | None:
    """The profile's canonical address, `https://www.linkedin.com/in/<handle>`, or None.

    The handle is in lower case, in NFC, percent-encoded as browsers do it; LinkedIn's own ids keep their case.
    What follows the handle is dropped. None for companies, schools, jobs, Sales Navigator, the former `/pub/`
    form (it holds no handle), other sites, and handles that identify nobody.
    """
    if raw is None:
        return None
    plain = _PLAIN.fullmatch(raw)
    if plain is not None:  # as most are: nothing is left to be put in order
        return f"https://www.linkedin.com/in/{plain[1]}" if _names_somebody(plain[1]) else None
    shown = visible(raw)
    if shown is None or _SHORTENED.search(shown):
        return None
    found = _address(shown)
    return _read(found) if found is not None else None


def _address(shown: str) -> str | None:
    """The address in the text; None where several words leave open which one it is."""
    bare = address(shown)
    if " " not in bare:
        return bare
    said = bare.split(" ")
    sites = [at for at, word in enumerate(said) if "linkedin." in word.lower() and "/" in word]
    if not sites or len({said[at] for at in sites}) > 1:
        return None
    after = said[sites[-1] + 1 : sites[-1] + 2]  # "…/in/jane (personal)", but not "…/in/jane doe"
    return address(said[sites[0]]) if not after or not after[0][0].isalnum() else None


def _read(bare: str) -> str | None:
    path, _, query = bare.partition("#")[0].partition("?")
    host, *steps = [step for step in path.split("/") if step] or [""]
    if host.lower() == "in" and len(steps) == 1:
        return _canonical(steps[0])  # "in/jane", "/in/jane/"
    if not _is_linkedin(host):
        return None
    if steps and steps[0].lower() in _WALLS:
        return _behind_wall(query)
    if steps and _BEFORE.fullmatch(steps[0]):
        steps = steps[1:]
    if len(steps) < 2 or steps[0].lower() != "in":
        return None
    return _read(address("/".join(steps[1:]))) if _AGAIN.fullmatch(steps[1]) else _canonical(steps[1])


def _is_linkedin(authority: str) -> bool:
    host = re.sub(r":\d*$", "", authority.rpartition("@")[2]).rstrip(".").lower()
    return any(f".{host}".endswith(f".{site}") for site in _SITES)


def _behind_wall(query: str) -> str | None:
    wanted = parse_qs(query)
    target = next((wanted[name][0] for name in _WANTED if name in wanted), "")
    bare = address(target)
    return _read(bare) if f"/{bare}".count("/in/") == 1 else None


def _canonical(step: str) -> str | None:
    handle = re.split(r"[/?#&;,]", unicodedata.normalize("NFC", _decoded(step)))[0].strip()
    if _SHORTENED.search(f"/in/{handle}"):
        return None
    handle = handle.rstrip(" )(]>}\"'.,;:!*\u201c\u201d\u2019\u00bb")
    if not _MEMBER.fullmatch(handle):
        handle = unicodedata.normalize("NFC", handle.lower())
    return f"https://www.linkedin.com/in/{quote(handle, safe='-_.~')}" if _names_somebody(handle) else None


def _decoded(step: str) -> str:
    """Percent-decoded; twice where a program encoded what was encoded. A handle never holds a `%`."""
    for _ in range(3):
        if "%" not in step:
            break
        step = unquote(step)
    return step


_WITHOUT_SIGNS = str.maketrans("", "", "-_.")


def _names_somebody(handle: str) -> bool:
    if not handle or len(handle) > 150 or _FOREIGN.search(handle) or _SPOILT_MEMBER.fullmatch(handle):
        return False
    plain = handle.translate(_WITHOUT_SIGNS)
    return plain not in _PLACEHOLDERS and not (plain.isascii() and len(plain) < 2)
