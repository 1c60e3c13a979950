"""What all pages have in common: the frame, forms that only we can have made, messages, errors in words."""

from __future__ import annotations

import hashlib
import secrets
import shlex
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syncd.contract.errors import SyncdError
from syncd.contract.model import ContactRef
from syncd.ledger import glances
from syncd.ledger.file import LedgerError
from syncd.ledger.store import Tx
from syncd.log import masked
from syncd.observe import summary
from syncd.pipeline.parts import Parts

from . import charts, words
from .live import Live
from .sessions import Session, Sessions, cookies, name_of

HERE = Path(__file__).parent
LONGEST_FORM = 1 << 20  # bytes
LISTS = ("/contacts", "/review", "/doubts", "/providers", "/runs")  # which can be begun anew without what was wrong
COOKIE: dict[str, Any] = {"httponly": True, "samesite": "strict", "path": "/"}

T = TypeVar("T")
View = Callable[["Site", Request], Awaitable[Response]]
log = structlog.get_logger("syncd.pages")


class Wrong(Exception):
    """What was asked for can't be shown or done: a sentence for the person, and the status for the browser."""

    def __init__(self, said: str, status: int = 400) -> None:
        super().__init__(said)
        self.status = status


@dataclass(frozen=True, slots=True)
class Form:
    """What a person has sent."""

    fields: Mapping[str, list[str]]

    def get(self, name: str, usual: str = "") -> str:
        """The first value of a field, without blanks around it."""
        return self.fields.get(name, [usual])[0].strip()

    def numbers(self, name: str) -> list[int]:
        """All values of a field that are numbers."""
        return [int(one) for one in self.fields.get(name, []) if one.isascii() and one.isdigit()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked before something is done. `told`: sentences on what it means; `fields`: what the form
    sends; `back`: the page of whoever says no; `twin`: the command that does the same; `asks`: name, label and usual
    value of what is to be typed."""

    title: str
    told: Sequence[str]
    action: str
    fields: Mapping[str, Sequence[str]]
    button: str
    back: str
    twin: str
    asks: Sequence[tuple[str, str, str]] = ()


class Site:
    """The pages over one set of parts."""

    def __init__(self, parts: Parts, sessions: Sessions) -> None:
        self.parts = parts
        self.sessions = sessions
        self.live = Live(parts)
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(words.FILTERS)
        self._templates.globals.update(charts=charts, words=words, asset=self.asset)

    # --- what is shown ------------------------------------------------------------------------

    async def page(self, request: Request, template: str, *, code: int = 200, **shown: Any) -> Response:
        """A whole page; `shown` is what its template needs."""
        frame = shown.pop("frame", None) or await self.parts.ledger.read(glances.frame)
        return self._rendered(request, template, code, frame=frame, **shown)

    def _rendered(self, request: Request, template: str, code: int, **shown: Any) -> Response:
        session = request.scope["session"] or self.sessions.begin()
        said = self.sessions.verified("said", self._cookie(request, "said"))
        target = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
        page = self._templates.get_template(template).render(  # a page that takes a name of the frame's is an error
            now=self.parts.clock.now(),
            instance=self.instance,
            session=session,
            guarded=self.sessions.guarded,
            form_mark=self.sessions.form_mark(session),
            said=said,
            path=request.url.path,
            here=target,
            **shown,
        )
        response = HTMLResponse(page, code)
        port = self._port(request)
        if request.scope["session"] is None and not self.sessions.guarded:
            self._keep(response, request, name_of(port), self.sessions.cookie(session))
        if said is not None:
            response.delete_cookie(name_of(port, "said"), **COOKIE)
        return response

    async def read(self, work: Callable[..., T], *args: Any, **more: Any) -> tuple[T, glances.Frame]:
        """Something from the ledger, and what the frame shows, at one moment."""

        def both(tx: Tx) -> tuple[T, glances.Frame]:
            return work(tx, *args, **more), glances.frame(tx)

        return await self.parts.ledger.read(both)

    def done(self, request: Request, where: str, said: str) -> Response:
        """Lead to a page of ours, which says what was done."""
        response = RedirectResponse(where if _is_ours(where) else "/", 303)
        self._keep(response, request, name_of(self._port(request), "said"), self.sessions.sign("said", said[:500]))
        return response

    # --- what is sent -------------------------------------------------------------------------

    def handler(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        """A view with all that goes wrong put into words."""

        async def handle(request: Request) -> Response:
            try:
                if request.scope["locked"] and not request.url.path.startswith("/login"):
                    return self._rendered(request, "login.html", 401, frame=None, next=_target(request), wrong="")
                if request.method == "POST":
                    await self._take_form(request)
                return await view(self, request)
            except Wrong as error:
                return await self._told_wrong(request, error)
            except (LedgerError, SyncdError) as error:
                return self.trouble(request, 503, str(error), getattr(error, "cure", "Try again in a moment."))
            except Exception:  # whatever it was: noted in full, and the person gets a page with its number
                number = secrets.token_hex(4)
                log.exception("page_failed", page=request.url.path, number=number)
                said = f"syncd met something that nobody foresaw, and has noted it as {number}."
                return self.trouble(request, 500, said, f"journalctl -u syncd --grep {number}")

        return handle

    def by(self, request: Request) -> str:
        """Who does it: what is kept beside the decision."""
        session: Session | None = request.scope["session"]
        name = session.name if session and session.name else "somebody"
        return f"{name} by the page"

    def note(self, request: Request, action: str, **facts: Any) -> None:
        """The audit line of an action: who, and from where."""
        client = request.client.host if request.client else ""
        log.info("operator_action", action=action, by=self.by(request), client=client, **facts)

    async def _take_form(self, request: Request) -> None:
        """Raises Wrong where it was not sent by a page of ours."""
        if not _is_from_here(request):
            raise Wrong("Nothing was done: this was not sent from a page of syncd.", 403)
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise Wrong("Nothing was done: a page of syncd sends forms.", 415)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_FORM:
                raise Wrong("Nothing was done: too much was sent.", 413)
        form = Form(parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=5_000))
        session = request.scope["session"]
        login = request.url.path == "/login"
        if not login and (session is None or not self.sessions.is_form_mark(session, form.get("mark"))):
            raise Wrong("Nothing was done: the page was made before you logged in, or before a restart. Go back, "
                        "load it again, and look once more.", 403)  # fmt: skip
        request.state.form = form

    async def _told_wrong(self, request: Request, error: Wrong) -> Response:
        """Within the frame, which leads elsewhere; and where an address was wrong, to the page without it."""
        try:
            frame = await self.parts.ledger.read(glances.frame)
        except LedgerError:
            frame = None
        begin = request.url.path if error.status == 400 and request.url.query and request.url.path in LISTS else ""
        shown = {"frame": frame, "wrong": str(error), "cure": "", "begin": begin}
        return self._rendered(request, "trouble.html", error.status, **shown)

    def trouble(self, request: Request, status: int, said: str, cure: str = "") -> Response:
        """A page that says what is wrong, and what helps: without a frame, for the ledger may be what is wrong."""
        return self._rendered(request, "trouble.html", status, frame=None, wrong=said, cure=cure, begin="")

    async def confirm(self, request: Request, question: Question) -> Response:
        """What would be done, and the form that does it."""
        return await self.page(request, "confirm.html", question=question)

    # --- small things -------------------------------------------------------------------------

    def log_in(self, request: Request, session: Session, where: str) -> Response:
        """A browser that has shown the token."""
        response = RedirectResponse(where if _is_ours(where) else "/", 303)
        self._keep(response, request, name_of(self._port(request)), self.sessions.cookie(session))
        return response

    def log_out(self, request: Request) -> Response:
        """It has to show it again."""
        if request.scope["session"] is not None:
            self.sessions.end(request.scope["session"])
        response = RedirectResponse("/", 303)
        response.delete_cookie(name_of(self._port(request)), **COOKIE)
        return response

    async def login(self, request: Request, where: str, wrong: str = "") -> Response:
        """The page that asks for the token."""
        return self._rendered(request, "login.html", 401 if wrong else 200, frame=None, next=where, wrong=wrong)

    def next_pulls(self, status: Mapping[str, Any]) -> dict[str, float | None]:
        """When each sync is pulled next, as far as its schedule tells; None: nobody can say."""
        return summary.next_pulls(status, self.parts.settings, self.parts.clock.now())

    def dearest(self, ref: ContactRef) -> float:
        """What all questions about a contact can cost at most: every field at every provider."""
        syncs = [one for one in self.parts.syncs if (one.crm, one.object) == (ref.connection, ref.object)]
        prices = self.parts.listed_prices
        asked = {(field, name) for one in syncs for field, policy in one.fields.items() for name in policy.providers}
        return float(sum(prices.get(name, {}).get(str(field), 0) for field, name in asked))

    @cached_property
    def instance(self) -> dict[str, str]:
        """Where this is, and whether it is about real people."""
        return {"name": socket.gethostname(), "mode": summary.mode(self.parts.settings)}

    @staticmethod
    def asset(name: str) -> str:
        """A file of ours, by an address that changes with it."""
        return f"/static/{name}?v={_digest(name)}"

    @staticmethod
    def _port(request: Request) -> int:
        return int((request.scope.get("server") or ("", 0))[1] or 0)

    def _cookie(self, request: Request, what: str) -> str:
        return cookies(request.headers.get("cookie", "")).get(name_of(self._port(request), what), "")

    def _keep(self, response: Response, request: Request, name: str, value: str) -> None:
        secure = request.headers.get("x-forwarded-proto") == "https"
        response.set_cookie(name, value, secure=secure, **COOKIE)

    def hide(self, text: str) -> str:
        """A raw body as it may be shown: without secrets, tokens and addresses."""
        return masked(text, self.parts.settings.secrets)


def command(name: str, options: Mapping[str, object]) -> str:
    """The command line that gives the same as a page; options that are "" or None are left out."""
    said = [f"--{key} {shlex.quote(str(value))}" for key, value in options.items() if value not in ("", None)]
    return " ".join([name, *said])


def _digest(name: str) -> str:
    if name not in _DIGESTS:
        _DIGESTS[name] = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return _DIGESTS[name]


_DIGESTS: dict[str, str] = {}


def _is_from_here(request: Request) -> bool:
    """Browsers say from where a form is sent: the host that we were asked by, and its port."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower() != ""


def _is_ours(where: str) -> bool:
    """A path on this host: a link elsewhere would begin with a scheme or with two slashes."""
    return where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable()


def _target(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
