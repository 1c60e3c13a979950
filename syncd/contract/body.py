"""How much of an answer is read: a cap that holds after decompression, whatever a header says of its length.

Knows no HTTP client: `http` reads through it, and the receiver of callbacks may.
"""

from __future__ import annotations

import zlib

BODY_LIMIT = 32 << 20  # bytes: the largest answers of our vendors, 100 contacts with all their details, are below 1 MiB
_STEP = 1 << 16  # bytes that are unpacked at a time
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Unreadable(Exception):
    """A body that can't be taken in. The message says why, in words for people, without any of it."""


class TooLarge(Unreadable):
    """A body above its cap."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is larger than {limit >> 20} MiB" if limit >> 20 else "the answer is too large")


class Body:
    """A body as it comes in, part by part. `encoding`: of the header Content-Encoding, "" for none.

    Raises Unreadable for an encoding that was not asked for (two on top of each other are one of them).
    """

    def __init__(self, encoding: str = "", limit: int = BODY_LIMIT) -> None:
        name = encoding.strip().lower()
        self._limit = limit
        self._read = bytearray()
        self._came = 0  # bytes over the wire
        if name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise Unreadable(f"the answer is encoded as {name[:40]!r}, which nobody asked for")
        self._unpack = None if name in {"", "identity"} else zlib.decompressobj(_GZIP_OR_ZLIB)

    def add(self, part: bytes) -> None:
        """The next bytes as they came over the wire; raises Unreadable, TooLarge."""
        self._came += len(part)
        if self._came > self._limit:  # what unpacks to nothing counts as well
            raise TooLarge(self._limit)
        if self._unpack is None:
            self._read += part
            return
        while part:
            try:
                self._read += self._unpack.decompress(part, _STEP)
            except zlib.error as error:
                raise Unreadable("the answer can't be decompressed") from error
            if len(self._read) > self._limit:
                raise TooLarge(self._limit)
            if self._unpack.unused_data:
                raise Unreadable("something follows the end of the compressed answer")
            part = self._unpack.unconsumed_tail

    def whole(self) -> bytes:
        """All of it, once no more comes; raises Unreadable for one that ends too early."""
        if self._unpack is not None and self._came and not self._unpack.eof:
            raise Unreadable("the compressed answer is cut off")
        return bytes(self._read)
