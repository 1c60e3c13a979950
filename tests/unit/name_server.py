"""A name server on loopback: real packets, with records that a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from syncd.config import Address

SILENT, BROKEN = "silent", "broken"  # no answer at all; SERVFAIL
Zone = Mapping[tuple[str, str], str]  # name and type → a record, SILENT or BROKEN


class NameServer:
    """Answers by its zone: what has no record of that type has no answer, what has none at all does not exist."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.address = Address("127.0.0.1", self._socket.getsockname()[1])
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="name-server")
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ends.is_set():
            with suppress(TimeoutError):
                packet, client = self._socket.recvfrom(4096)
                if (answer := self._answer(packet)) is not None:
                    self._socket.sendto(answer, client)

    def _answer(self, packet: bytes) -> bytes | None:
        query = dns.message.from_wire(packet)
        [question] = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        record = self.zone.get((name, kind))
        if record == SILENT:
            return None
        if record == BROKEN:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif record is not None:
            answer.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, record))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()


@contextmanager
def name_server(zone: Zone) -> Iterator[NameServer]:
    made = NameServer(zone)
    try:
        yield made
    finally:
        made.close()
