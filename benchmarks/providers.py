"""Lean FullEnrich (v2) and Zeliq: whoever is asked about is found at once, and told by callback, signed as theirs are.

`pace`: None answers at once. A number answers so many contacts a second (real time), one after the other in a random
order. `hold` keeps every callback, for whoever wants to send them.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from typing import Any

from .portal import email_of, phone_of
from .wire import Client

FULLENRICH_KEY, ZELIQ_KEY = "bench-fullenrich-key", "bench-zeliq-key"
_PRICE = {"contact.work_emails": 1, "contact.phones": 10}
_WORKERS, _AT_ONCE = 64, 32
_QUIET = 3.0  # seconds without a question after which no further one is waited for, where answers have a pace

_NO_LIMITS = {"perMinute": 10**7, "perHour": 10**8, "perDay": 10**9}  # told with Zeliq's first answer, a refusal

Json = dict[str, Any]


class Post:
    """One callback."""

    def __init__(self, url: str, body: Json) -> None:
        self.url = url
        self.body = json.dumps(body, separators=(",", ":")).encode()
        signature = hmac.new(FULLENRICH_KEY.encode(), self.body, hashlib.sha1).hexdigest()
        self.headers = {"content-type": "application/json", "x-signature-sha1": signature}


class Providers:
    def __init__(self, *, pace: float | None = None, hold: bool = False) -> None:
        self._pace, self._hold = pace, hold
        self._client = Client(_AT_ONCE)
        self._calls: asyncio.Queue[tuple[list[Post], Post | None]] = asyncio.Queue()
        self._asked_at = 0.0
        self.asked = self.called_back = self.refused = 0
        self.began = 0.0  # when the first question came
        self.held: list[Post] = []
        self._told_limits = False

    def answer(self, path: str, body: Json) -> tuple[int, Json]:
        """One call of either API."""
        if path.endswith("/contact/enrich/bulk"):
            return self._bulk(body)
        if "/contact/enrich/bulk/" in path:
            return 400, {"code": "error.enrichment.in_progress", "message": "in progress"}
        if "/contact/enrich/" in path:
            return self._single(path.rpartition("/")[2], body)
        if path.endswith("/account/credits"):
            return 200, {"balance": 9_000_000}
        if path.endswith("/credits/balance"):
            return 200, {"credit_balance": 9_000_000}
        if path.endswith("/account/keys/verify"):
            return 200, {"workspace_id": "bench"}
        return 404, {"message": "the bench has no such call"}

    def _bulk(self, body: Json) -> tuple[int, Json]:
        job, each = f"bench-{self.asked}", (body.get("webhook_events") or {}).get("contact_finished")
        head, items = {"id": job, "name": body["name"]}, [_item(one) for one in body["data"]]
        alone = [Post(each, {**head, "status": "IN_PROGRESS", "data": [item]}) for item in items if each]
        cost = sum(_PRICE[name] for one in body["data"] for name in one["enrich_fields"])
        whole = {**head, "status": "FINISHED", "cost": {"credits": cost}, "data": items}
        self._take(len(items), alone, Post(body["webhook_url"], whole))
        return 200, {"enrichment_id": job}

    def _single(self, kind: str, body: Json) -> tuple[int, Json]:
        if not self._told_limits:
            self._told_limits = True
            return 429, {"statusCode": 429, "message": "Rate limit exceeded.", "limits": _NO_LIMITS}
        number = _number(body["linkedin_url"])
        contact = {"first_name": f"Nora{number}", "last_name": f"Lind{number}", "linkedin_url": body["linkedin_url"]}
        if kind == "email":
            best = {"email": email_of(number), "status": "safe to send"}
            contact |= {"most_probable_email": best["email"], "most_probable_email_status": best["status"]}
            contact |= {"emails": [best]}
        else:
            contact |= {"most_probable_phone": phone_of(number), "phones": [{"phone": phone_of(number)}]}
        said = {"credit_used": 1 if kind == "email" else 10, "contact": contact}
        self._take(1, [Post(body["callbackUrl"], said)], None)
        return 200, {"jobId": f"bench-{self.asked}", "status": "PENDING"}

    def _take(self, people: int, alone: list[Post], whole: Post | None) -> None:
        self.asked += people
        self._asked_at = time.time()
        self.began = self.began or self._asked_at
        if self._hold:
            self.held += alone
        else:
            self._calls.put_nowait((alone, whole))

    async def run(self) -> None:
        """Call back until cancelled."""
        workers = [self._paced()] if self._pace else [self._at_once() for _ in range(_WORKERS)]
        await asyncio.gather(*workers)

    async def _at_once(self) -> None:
        while True:
            alone, whole = await self._calls.get()
            await asyncio.gather(*map(self._send, alone))
            if whole is not None:
                await self._send(whole)

    async def _paced(self) -> None:
        """All that was asked by the time that nobody has asked for a while; then what was asked meanwhile."""
        rng = random.Random(5)
        while True:
            while not self._calls.qsize() or time.time() - self._asked_at < _QUIET:  # noqa: ASYNC110 - time is the event
                await asyncio.sleep(0.1)
            posts, wholes = list[Post](), list[Post]()
            while self._calls.qsize():
                alone, whole = self._calls.get_nowait()
                posts += alone
                wholes += [whole] if whole is not None else []
            rng.shuffle(posts)
            await self._one_after_the_other(posts, rng)
            await asyncio.gather(*map(self._send, wholes))

    async def _one_after_the_other(self, posts: list[Post], rng: random.Random) -> None:
        due = time.time()
        for post in posts:
            due += rng.expovariate(self._pace or 1.0)
            await asyncio.sleep(max(0.0, due - time.time()))
            await self._send(post)

    async def _send(self, post: Post) -> None:
        for pause in (0.1, 0.5, 2.0, None):
            try:
                status, _ = await self._client.send(post.url, post.body, post.headers)
            except OSError:
                status = 0
            if 200 <= status < 300:
                self.called_back += 1
                return
            self.refused += 1
            if pause is not None:
                await asyncio.sleep(pause)


def answer_about(number: int, url: str) -> Post:
    """FullEnrich's callback about one contact of a bulk."""
    asked = {"linkedin_url": f"https://www.linkedin.com/in/nora-lind-{number}", "enrich_fields": list(_PRICE)}
    ids = {"attempt_id": f"{number:012}.1", "batch_id": f"{number:012}", "contact_id": str(number)}
    item = _item({**asked, "custom": ids})
    return Post(url, {"id": "bench", "name": "bench", "status": "IN_PROGRESS", "data": [item]})


def _number(profile: str) -> int:
    """Who of the emulated contacts has this profile."""
    return int(profile.rstrip("/").rpartition("-")[2])


def _item(asked: Json) -> Json:
    """What FullEnrich says of one contact of a bulk."""
    number, info = _number(asked["linkedin_url"]), dict[str, Any]()
    if "contact.work_emails" in asked["enrich_fields"]:
        email = {"email": email_of(number), "status": "DELIVERABLE"}
        info |= {"most_probable_work_email": email, "work_emails": [email]}
    if "contact.phones" in asked["enrich_fields"]:
        phone = {"number": phone_of(number), "region": "FR"}
        info |= {"most_probable_phone": phone, "phones": [phone]}
    echo = {"first_name": asked.get("first_name"), "last_name": asked.get("last_name")}
    echo |= {"company_domain": asked.get("domain"), "professional_network_url": asked["linkedin_url"]}
    return {"custom": asked["custom"], "input": echo, "contact_info": info}
