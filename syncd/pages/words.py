"""How times, numbers and states are written on the pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from syncd import words
from syncd.observe.summary import SIGNS
from syncd.words import Standing

# The states of a job and the reasons of its end, as people read them: (sign, kind of colour, words).
STATES = {
    key.value: (one.sign, one.colour.value, one.word) for key, one in (*words.STATES.items(), *words.REASONS.items())
}
STANDINGS = {standing: one.colour.value for standing, one in words.STANDINGS.items()}
_SPANS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def number(value: float | None) -> str:
    """`1,204`, `0.5`, or a dash for what is not known."""
    if value is None:
        return "—"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}".rstrip("0").rstrip(".")


def credits_(value: float | None) -> str:
    """With the word, for money is told by it alone."""
    return "not known" if value is None else f"{number(value)} {'credit' if value == 1 else 'credits'}"


def percent(part: float, whole: float) -> str:
    """Of nothing, a dash."""
    return f"{100 * part / whole:.0f} %" if whole else "—"


def span(seconds: float) -> str:
    """`2 d 6 h`, `19 min`: the two largest units."""
    rest, parts = max(0.0, seconds), list[str]()
    for length, unit in _SPANS:
        if rest >= length and len(parts) < 2:
            parts.append(f"{rest // length:.0f} {unit}")
            rest %= length
    return " ".join(parts) or "0 s"


def moment(at: float | None) -> str:
    """In full, with its zone."""
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def iso(at: float) -> str:
    """For machines."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def clock(at: float) -> str:
    """The time of day in UTC."""
    return time.strftime("%H:%M", time.gmtime(at))


def when(at: float | None, now: float) -> Markup:
    """Relative in the text, in full for whoever points at it and for machines."""
    if at is None:
        return Markup("—")
    ahead = at - now
    said = f"in {span(ahead)}" if ahead > 1 else f"{_rough(-ahead)} ago" if ahead < -1 else "now"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso(at), moment(at), said)


def due(at: float | None, now: float) -> Markup:
    """When something comes next: what could come already comes now."""
    return when(None if at is None else max(at, now), now)


def _rough(seconds: float) -> str:
    return next((f"{seconds // length:.0f} {unit}" for length, unit in _SPANS if seconds >= length), "0 s")


def state(name: str | None, reason: str | None = None) -> Markup:
    """Sign, word and colour of where a field stands."""
    sign, kind, said = STATES.get(reason or name or "", ("○", "idle", (reason or name or "").replace("_", " ")))
    return badge(sign, kind, said)


def standing(word: str) -> Markup:
    """The same of a sync."""
    one = Standing(word)
    return badge(SIGNS[one], STANDINGS[one], one.value)


def badge(sign: str, kind: str, said: str) -> Markup:
    """A sign for whom colours tell nothing, a word for everybody."""
    return Markup('<span class="state {}"><span aria-hidden="true">{}</span> {}</span>').format(kind, sign, said)


def contact_url(ref: str) -> str:
    """The page of a contact (`connection/object/id`)."""
    return f"/contacts/{quote(ref, safe='/')}"


def person(identity: Mapping[str, Any], otherwise: str) -> str:
    """What somebody is called."""
    names = " ".join(filter(None, (identity.get("first_name"), identity.get("last_name"))))
    return names or identity.get("full_name") or identity.get("email") or otherwise


def employer(identity: Mapping[str, Any]) -> str:
    """Where they work, as far as it is known."""
    return identity.get("company") or identity.get("domain") or ""


def prose(text: str) -> Markup:
    """A sentence of ours, with what stands in backticks as code."""
    parts = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in enumerate(parts)
    )


def fill(value: Any) -> Markup:
    """A value of the CRM; blank ones in words."""
    return escape(value) if value not in (None, "") else Markup('<span class="blank">(empty)</span>')


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "credits": credits_,
    "span": span,
    "when": when,
    "due": due,
    "iso": iso,
    "clock": clock,
    "moment": moment,
    "state": state,
    "standing": standing,
    "contact_url": contact_url,
    "fill": fill,
    "prose": prose,
    "person": person,
    "employer": employer,
}
