"""Who sits before a page: signed cookies, and the mark that a form of ours carries.

Nothing is stored: a session is a text with our signature, so that it outlives a restart. The key is made of
`admin.token`; without a token, of chance, and everybody who reaches the listener may act.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

LASTS = 12 * 3600  # seconds of a session
LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Session:
    """`name`: what the person calls themselves, kept beside what they decide."""

    id: str
    name: str
    ends: float  # UTC seconds of the host's clock


class Sessions:
    """Signs and reads what browsers keep for us."""

    def __init__(self, token: str | None) -> None:
        self._token = None if token is None else token.encode()
        self._key = hashlib.blake2b(self._token or os.urandom(32), digest_size=32, person=b"syncd pages").digest()
        self._ended: dict[str, float] = {}  # sessions that were logged out, until they would have ended

    @property
    def guarded(self) -> bool:
        """Does one have to log in?"""
        return self._token is not None

    def knows(self, token: str) -> bool:
        """Is it the configuration's?"""
        return self._token is not None and hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token)

    def begin(self, name: str = "") -> Session:
        """A new one."""
        return Session(secrets.token_urlsafe(16), " ".join(name.split())[:LONGEST_NAME], time.time() + LASTS)

    def end(self, session: Session) -> None:
        """Its cookie opens nothing any more."""
        now = time.time()
        self._ended = {id_: ends for id_, ends in self._ended.items() if ends > now} | {session.id: session.ends}

    def cookie(self, session: Session) -> str:
        """What the browser keeps of it."""
        return self.sign("session", json.dumps([session.id, session.name, session.ends]))

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie that we have signed and that has not ended."""
        if (text := self.verified("session", cookie)) is None:
            return None
        session = Session(*json.loads(text))
        return session if session.ends > time.time() and session.id not in self._ended else None

    def form_mark(self, session: Session) -> str:
        """What a form of ours carries, and a form of anybody else can't know."""
        return self._mac("form", session.id)

    def is_form_mark(self, session: Session, mark: str) -> bool:
        """Was a form made by us, for this session?"""
        return hmac.compare_digest(mark.encode("utf-8", "surrogateescape"), self.form_mark(session).encode())

    def sign(self, kind: str, text: str) -> str:
        """A text that only we can have made, for a cookie."""
        return f"{base64.urlsafe_b64encode(text.encode()).decode()}.{self._mac(kind, text)}"

    def verified(self, kind: str, signed: str) -> str | None:
        """The text, or None where it is not ours."""
        body, _, mac = signed.partition(".")
        try:
            text = base64.urlsafe_b64decode(body.encode()).decode()
        except ValueError:
            return None
        return (
            text
            if hmac.compare_digest(mac.encode("utf-8", "surrogateescape"), self._mac(kind, text).encode())
            else None
        )

    def _mac(self, kind: str, text: str) -> str:
        return hmac.new(self._key, f"{kind}\n{text}".encode(), hashlib.sha256).hexdigest()


def cookies(header: str) -> dict[str, str]:
    """What a Cookie header says; nothing where it can't be read."""
    try:
        return {name: one.value for name, one in SimpleCookie(header).items()}
    except CookieError:
        return {}


def name_of(port: int, what: str = "session") -> str:
    """A cookie's name: browsers tell hosts apart, not ports, and several daemons may run on one host."""
    return f"syncd-{what}-{port}"
