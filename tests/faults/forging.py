"""Callback addresses that are not ours: made from genuine ones, as somebody would who has seen a few.

In here: the forgeries, and putting them to the test. How many: the tests and the soak.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from syncd.pipeline.address import Addresses
from tests.unit.harness import Harness

from .client import VENDORS, request, target

Query = list[tuple[str, str]]
Way = Callable[[random.Random, Query, Query], Query]
HEX = "0123456789abcdef"


def _set(query: Query, name: str, value: str) -> Query:
    return [(key, value if key == name else old) for key, old in query]


def _get(query: Query, name: str) -> str:
    return dict(query).get(name, "")


def _guess(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "m", "".join(rng.choices(HEX, k=32)))


def _bit(rng: random.Random, mine: Query, _: Query) -> Query:
    mac, place = _get(mine, "m"), rng.randrange(32)
    other = rng.choice(HEX.replace(mac[place], ""))
    return _set(mine, "m", mac[:place] + other + mac[place + 1 :])


def _shorter(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "m", _get(mine, "m")[: rng.randrange(32)])


def _longer(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "m", _get(mine, "m") + "".join(rng.choices(HEX, k=rng.randrange(1, 40))))


def _upper(_: random.Random, mine: Query, __: Query) -> Query:
    upper = _get(mine, "m").upper()
    return _set(mine, "m", upper if upper != _get(mine, "m") else "")


def _odd(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "m", _get(mine, "m")[:-1] + rng.choice("é\0\udce9\u202e%\n \U0001d7d8"))


def _theirs(_: random.Random, mine: Query, other: Query) -> Query:
    return _set(mine, "m", _get(other, "m"))


def _other_contact(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "contactId", str(rng.randrange(10_000, 99_999)))


def _other_call(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "a", "".join(rng.choices(HEX, k=32)))


def _other_field(_: random.Random, mine: Query, __: Query) -> Query:
    return _set(mine, "field", "phone")


def _longer_life(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "e", str(int(_get(mine, "e")) + rng.randrange(1, 10**9)))


def _other_key(rng: random.Random, mine: Query, _: Query) -> Query:
    return _set(mine, "k", "".join(rng.choices(HEX, k=8)))


def _without(rng: random.Random, mine: Query, _: Query) -> Query:
    gone = rng.choice([name for name, _ in mine])
    return [(name, value) for name, value in mine if name != gone]


def _twice(rng: random.Random, mine: Query, other: Query) -> Query:
    name, value = rng.choice(mine)
    return [*mine, (name, rng.choice([value, _get(other, name), ""]))]


def _shifted(rng: random.Random, mine: Query, _: Query) -> Query:
    """Move the border between two values: what is signed must not be a mere concatenation."""
    object_, contact = _get(mine, "object"), _get(mine, "contactId")
    moved = _set(_set(mine, "object", object_ + contact[:1]), "contactId", contact[1:])
    return rng.choice([moved, _set(mine, "object", f"{object_}\x1f{contact}")])


def _stranger(rng: random.Random, mine: Query, _: Query) -> Query:
    """A whole address, perfectly made, with another secret."""
    given = dict(mine)
    secret = "".join(rng.choices(HEX, k=40))
    made = Addresses("https://x.test", [secret]).mint("zeliq", given["a"], expires=int(given["e"]))
    return parse_qsl(urlsplit(made).query)


def _ours_named(rng: random.Random, mine: Query, _: Query) -> Query:
    """The same, under the name of our key."""
    return _set(_stranger(rng, mine, _), "k", _get(mine, "k"))


WAYS: tuple[Way, ...] = (
    _guess, _bit, _shorter, _longer, _upper, _odd, _theirs, _other_contact, _other_call, _other_field, _longer_life,
    _other_key, _without, _twice, _shifted, _stranger, _ours_named,
)  # fmt: skip


def forgeries(rng: random.Random, urls: Sequence[str], number: int) -> Iterator[Query]:
    """So many query strings, each way in turn."""
    genuine = [parse_qsl(urlsplit(url).query) for url in urls]
    for n in range(number):
        mine, other = rng.sample(genuine, 2)
        yield WAYS[n % len(WAYS)](rng, list(mine), list(other))


def taken(harness: Harness, provider: str, tries: Iterable[Query]) -> list[Query]:
    """Those that the check lets through: at their own provider, and at each of the others."""
    addresses, now = harness.parts.addresses, harness.clock.now()
    return [query for query in tries if any(addresses.check(name, query, now=now) for name in (provider, *VENDORS, ""))]


def over_http(rng: random.Random, urls: Sequence[str], number: int, provider: str) -> list[bytes]:
    """Requests with forged addresses; a few are genuine ones of another provider, or of another method."""
    other = next(name for name in VENDORS if name != provider)
    made = []
    for n, query in enumerate(forgeries(rng, urls, number)):
        if n % 25 == 0:
            made.append(request(urls[0].replace(provider, other), b"{}"))
        elif n % 25 == 1:
            made.append(request(urls[0], b"").replace(b"POST", rng.choice([b"GET", b"PUT", b"DELETE"])))
        elif n % 25 == 2:
            made.append(
                b"POST "
                + target(urls[0]).replace("callbacks", "callbacks/.").encode()
                + b" HTTP/1.1\r\nhost: x\r\n\r\n"
            )
        else:
            path = f"/callbacks/{provider}?{urlencode(query, errors='surrogateescape')}"
            made.append(request(path, b'{"credit_used": 10}'))
    return made
