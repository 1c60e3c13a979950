"""Raw answers as they arrive: kept once, in little room, before anybody understands them."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any

from syncd.contract.jsontext import dump
from syncd.contract.model import Delivery, Source
from syncd.frozen import frozen

from .states import DeliveryState
from .store import Call, Tx, together

KEPT = 20  # deliveries of one call that are kept beyond those that are expected
PART = 4 << 10  # bytes that are kept of what is not believed
PACKED_FROM = 100  # bytes
AT_ONCE = 8 << 20  # bytes of bodies in one statement, which may need several times as many
_BODY = 6  # its place in a row of `deliveries_add`
_SMALL = 4 << 10  # bytes of a body that need no more than a small window


class Kept(IntEnum):
    """What became of a delivery: at most one is new, the others are counted."""

    REPEATED = 0
    NEW = 1
    TOO_MANY = -1  # not kept: this call has had more different answers than can be genuine
    GONE = -2  # the same, and its last word has come


@frozen()
class _Arrival:
    """A delivery that is to be kept, with what `store` is told of it."""

    provider: str
    delivery: Delivery
    now: float
    state: DeliveryState = DeliveryState.RECEIVED
    note: str = ""
    believed: bool = True
    bounded: bool = False
    sample: bytes = b""


def _store_all(tx: Tx, calls: Sequence[Call]) -> list[Kept]:
    return _Shelf(tx).put([_Arrival(*call.args, **call.kwargs) for call in calls])


@together(_store_all)
def store(
    tx: Tx,
    provider: str,
    delivery: Delivery,
    *,
    now: float,
    state: DeliveryState = DeliveryState.RECEIVED,
    note: str = "",
    believed: bool = True,
    bounded: bool = False,
    sample: bytes = b"",
) -> Kept:
    """T4: keep the raw answer, once; of one that is not believed its digest, its size and the first bytes.

    What came by callback and was not taken as the last word is read once more when a poll brings the same.
    `bounded`: a call keeps no more than can be genuine, and a few. `sample`: an answer as it usually looks.
    """
    return _Shelf(tx).put([_Arrival(provider, delivery, now, state, note, believed, bounded, sample)])[0]


def _digest(one: _Arrival) -> int:
    """What tells the deliveries of one call apart: a call has a few dozen at the most, so that 64 bits are enough."""
    way = (one.provider, one.delivery.submission_id, one.state, *filter(None, (one.delivery.part,)))
    whole = hashlib.sha256(b"\0".join((*(word.encode() for word in way), one.delivery.body)))
    return int.from_bytes(whole.digest()[:8], "big", signed=True)


class _Shelf:
    """Where deliveries that arrive together are stored: what is known of their calls is read once, and what is new is
    added at once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._known: dict[tuple[str, int], int] = {}  # ids, by call and digest
        self._new: dict[tuple[str, int], list[Any]] = {}  # rows, how often each came again at the end
        self._kept: dict[str, int] = {}  # how many, by call
        self._repeats: Counter[int] = Counter()  # by id
        self._samples: dict[bytes, int] = {}

    def put(self, arrivals: Sequence[_Arrival]) -> list[Kept]:
        """What became of each."""
        keys = [(one.delivery.submission_id, _digest(one)) for one in arrivals]
        for id_, call, digest in self._tx.packed("deliveries_known", rows=dump(keys)):
            self._known[call, digest] = id_
        new = {key[0] for key, one in zip(keys, arrivals, strict=True) if one.bounded and key not in self._known}
        if new:
            self._kept = dict(self._tx.packed("deliveries_kept", calls=dump(sorted(new))))
        found = [self._put(one, *key) for one, key in zip(arrivals, keys, strict=True)]
        for rows in _pieces(self._new.values()):
            self._tx.many("deliveries_add", rows)
        if self._repeats:
            self._tx.run("deliveries_repeated", rows=dump(list(self._repeats.items())))
        return found

    def _put(self, one: _Arrival, call: str, digest: int) -> Kept:
        if (id_ := self._known.get((call, digest))) is not None:
            self._repeats[id_] += 1
            return Kept(one.delivery.source is Source.POLL and self._fetched(one, id_))
        if (row := self._new.get((call, digest))) is not None:
            row[-1] += 1
            return Kept.REPEATED
        if one.bounded and (refused := self._too_many(call)):
            return refused
        self._kept[call] = self._kept.get(call, 0) + 1
        self._new[call, digest] = self._row(one, digest)
        return Kept.NEW

    def _too_many(self, call: str) -> Kept | None:
        """Why one more different answer to this call is not kept, or None."""
        if (kept := self._kept.get(call, 0)) < KEPT:
            return None
        expected = self._tx.one("answers_expected", id=call)
        if kept < KEPT + expected["n"]:
            return None
        return Kept.GONE if expected["settled"] else Kept.TOO_MANY

    def _row(self, one: _Arrival, digest: int) -> list[Any]:
        """Its values, as `deliveries_add` names them."""
        it = one.delivery
        headers = None if one.state is DeliveryState.RECEIVED else dump(dict(it.headers))
        body, sample_id = self._packed(one)
        whom = None if it.ref is None else str(it.ref)
        row = [one.provider, it.submission_id, it.source, digest, headers, one.state, body, sample_id, whom, it.field]
        return [*row, it.part, one.note, one.now, len(it.body), 0]

    def _fetched(self, one: _Arrival, id_: int) -> bool:
        body, sample_id = self._packed(one)
        return self._tx.run("delivery_fetched", id=id_, body=body, sample_id=sample_id) > 0

    def _packed(self, one: _Arrival) -> tuple[bytes, int | None]:
        """What is kept of the body, and with which sample it was packed."""
        if not one.believed:
            return one.delivery.body[:PART], None
        smaller = packed(one.delivery.body, one.sample)
        return (one.delivery.body, None) if smaller is None else (smaller, self._sample_id(one.sample))

    def _sample_id(self, sample: bytes) -> int:
        if (id_ := self._samples.get(sample)) is None:
            known = self._tx.value("sample_known", text=sample)
            id_ = self._samples[sample] = self._tx.value("sample_add", text=sample) if known is None else known
        return id_


def _pieces(rows: Iterable[list[Any]]) -> Iterator[list[list[Any]]]:
    """Rows of `deliveries_add`, so many at a time."""
    piece, size = list[list[Any]](), 0
    for row in rows:
        piece.append(row)
        size += len(row[_BODY])
        if size >= AT_ONCE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def packed(body: bytes, sample: bytes = b"") -> bytes | None:
    """A body in less room; what it has in common with `sample` takes next to none. None where nothing is gained."""
    if len(body) < PACKED_FROM:
        return None
    window, memory = (-12, 5) if len(body) <= _SMALL else (-15, 8)  # what deflate prepares costs more than its work
    packer = zlib.compressobj(6, zlib.DEFLATED, window, memory, zlib.Z_DEFAULT_STRATEGY, sample[-_SMALL:])
    smaller = packer.compress(body) + packer.flush()
    return smaller if len(smaller) < len(body) else None


def unpacked(body: bytes, sample: bytes | None) -> bytes:
    """A body as it came; `sample`: that with which it was packed, None where it is as it came."""
    return body if sample is None else zlib.decompressobj(-15, sample[-_SMALL:]).decompress(body)
