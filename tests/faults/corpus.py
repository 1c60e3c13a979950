"""Bodies that a vendor should never send, and bodies that somebody else might.

Made here, not copied: what breaks parsers, what breaks stores, what breaks whoever trusts a string.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.connectors.fullenrich_said import FOUND, KEY, envelope, item

DEEP = 40_000  # within the smallest cap on a body
NAUGHTY = (
    "", " ", "\t\n", "null", "undefined", "NaN", "-Infinity", "true", "0", "-1", "1e999", "0x10", "1/0", "٣٤", "½",
    "ada@example.com'; DROP TABLE job; --", "' OR '1'='1", "1; ATTACH DATABASE 'x' AS y", "\" OR 1=1", "Robert'); --",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "{{7*7}}",
    "${jndi:ldap://x.test/a}", "$(reboot)", "`id`", "| cat /etc/passwd", "../../../etc/passwd", "%00", "%s%s%n",
    "=cmd|' /C calc'!A0", "+1+1", "@SUM(1)", "ada\x00@example.com", "ada@example.com\r\nbcc: eve@example.com",
    "ada@example.com\u2028", "\x1b[31mred", "\x7f", "\u200bada@example.com", "ada\u200d@example.com",
    "\ufeffada@example.com", "ad\u00ada@example.com", "\u2060", "\u202emoc.elpmaxe@ada",
    "\u2066ada\u2069@example.com", "مرحبا@example.com", "שלום", "ada@éxample.test", "\u0430da@example.com",
    "ada@ex\u0430mple.com", "\U0001d41a\U0001d41d\U0001d41a@example.com", "\uff41\uff44\uff41\uff20example.com",
    "👩‍👩‍👧‍👦", "Z̸̡̢̛͎̭a̶̧l̴g̷o̶", "ﷺ" * 100, "Null", "Test", "o'Neil@example.com", "ada+tag@example.com",
    '"ada lovelace"@example.com', "ada@[127.0.0.1]", "ada@localhost", "@", "@@", "a@b", "ada@", "@example.com",
    "ada@example..com", "ada@-example.com", "ada@example.com.", "x" * 10_000,
    "a" * 64 + "@" + "b" * 63 + ".example.com", "a" * 65 + "@example.com", "+442079460123", "0000000", "+" + "9" * 40,
    "++44", "\ud800", "\udfff\ud800", "\uffff", "\U0010ffff", "ß", "\u0131", "İ", "ǅ", "Ω", "ﬁ",
)  # fmt: skip


def malformed() -> Iterator[bytes]:
    """What is no JSON, or no object, or an object that means nothing."""
    yield from _texts()
    yield from _bytes()
    yield from _big()
    yield from (json.dumps(value).encode() for value in _wrong_types())


def _texts() -> Iterator[bytes]:
    texts = (
        "", " ", "\n", "{", "}", "[", "]", '"', '"a', "{]", "[}", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}',
        "{,}", "[,]", "[1,]", "[1 2]", '{"a" 1}', '{a:1}', "{'a':1}", '{"a":1 "b":2}', '{"a":1}{"b":2}', '{"a":1}x',
        "nul", "tru", "True", "None", "NaN", "Infinity", "-Infinity", '{"credit_used": NaN}',
        '{"credit_used": Infinity}', '{"credit_used": -Infinity}', "01", "1.", ".5", "+1", "1e", "1e+", "0x1",
        "1_000", "--1", "-", "1e400", '{"credit_used": 1e400}', "// x\n{}", "/* x */{}", "# x\n{}",
        '{"a": undefined}', '{"a": "\\x"}', '{"a": "\\u12"}', '{"a": "\\ud800"}', '"\\udc00\\ud800"',
        '{"\\ud800": 1}', '{"a": "\t"}', '{"a": "\n"}', '{"a": "\x00"}', '{"a":1,"a":2}',
        '{"contact": {"email": 1}, "contact": null}', "[[]]", "{}", "[]", "null", "true", "0", '"x"', '{"": {}}',
        "\ufeff{}", '{"contact": null', '{"credit_used": 1, "contact": {"emails": [',
    )  # fmt: skip
    return (text.encode("utf-8", "surrogatepass") for text in texts)


def _bytes() -> Iterator[bytes]:
    yield from (
        b"\xff",
        b"\xfe\xff\x00{\x00}",
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xe9"}',
        b'{"a": "\xc0\xaf"}',
        b'{"a": "\xed\xa0\x80"}',
    )
    yield from (
        b"\x00",
        b"\x00" * 100,
        b"{}\x00",
        b"\x1f\x8b\x08\x00",
        b"PK\x03\x04",
        b"%PDF-1.7",
        b"<?xml version='1.0'?><a/>",
    )
    yield from (
        b"<!doctype html><html></html>",
        b"contact=ada&credit_used=1",
        b"--x\r\ncontent-type: text/plain\r\n\r\n",
        bytes(range(256)),
    )


def _big() -> Iterator[bytes]:
    yield from (b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP)
    yield from (b'{"credit_used": ' + b"9" * 5000 + b"}", b'{"credit_used": ' + b"9" * 20 + b"}", b"1" * 100_000)
    yield from (b'{"contact": {"emails": [' + b"{}," * 20_000 + b"{}]}}", b'{"' + b"k" * 100_000 + b'": 1}')
    yield b'{"contact": {"most_probable_email": "' + b"x" * 200_000 + b'@example.com"}}'
    yield b"{" + b",".join(b'"k%d": %d' % (n, n) for n in range(10_000)) + b"}"


def _wrong_types() -> Iterator[Any]:
    plain: list[Any] = [None, True, 0, -1, 1.5, 10**400, "x", [], {}, [[]], [None], [1, "a"]]
    for value in [*plain, {"email": {}}, [{"email": [1]}]]:
        yield {"contact": value}
        yield {"contact": {"emails": value, "phones": value, "most_probable_email": value}, "credit_used": value}
        yield {"status": value, "data": value, "id": value, "cost": value}
        yield {"status": "FINISHED", "data": [value, {"custom": value, "contact_info": value, "input": value}]}
        yield {"status": "FINISHED", "datas": value, "cost": {"credits": value}}


def naughty(vendor: str, request_id: str) -> Iterator[bytes]:
    """Well-formed answers with each naughty string in the places where a person's data stands."""
    for text in NAUGHTY:
        yield json.dumps(_answer(vendor, request_id, text)).encode()


def sample(vendor: str, request_id: str) -> bytes:
    """A genuine answer."""
    return json.dumps(_answer(vendor, request_id, "ada@acme.example.com", strange=False)).encode()


def _answer(vendor: str, request_id: str, text: str, *, strange: bool = True) -> Any:
    who = {"first_name": text, "company": text} if strange else {}
    if vendor == "zeliq":
        found = {
            "most_probable_email": text,
            "most_probable_email_status": "valid",
            "emails": [{"email": text, "status": text}],
        }
        return {"credit_used": text if strange else 1, "contact": {**found, **who}, "jobId": text}
    info = {"most_probable_work_email": {"email": text, "status": "DELIVERABLE"}} if strange else FOUND
    return {**envelope(item(request_id, info, **who)), "name": text}


def mutations(rng: random.Random, body: bytes, number: int) -> Iterator[bytes]:
    """Copies with one to four bytes changed, dropped or doubled, or cut off; no two are alike."""
    seen = {body}
    while len(seen) <= number:
        made = bytearray(body)
        for _ in range(rng.randrange(1, 5)):
            place = rng.randrange(len(made))
            match rng.randrange(4):
                case 0:
                    made[place] = rng.randrange(256)
                case 1:
                    del made[place]
                case 2:
                    made[place:place] = made[place : place + rng.randrange(1, 20)]
                case _:
                    made[place] ^= 1 << rng.randrange(8)
        mutant = bytes(made[: rng.randrange(1, len(made))] if rng.random() < 0.1 else made)
        if mutant not in seen:
            seen.add(mutant)
            yield mutant


def signed(vendor: str, body: bytes) -> dict[str, str]:
    """The vendor's own headers."""
    return {} if vendor == "zeliq" else {"x-signature-sha1": hmac.new(KEY.encode(), body, hashlib.sha1).hexdigest()}
