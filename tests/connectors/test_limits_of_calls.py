"""No answer holds a call for ever, and none fills the memory: whoever's HTTP client the call goes through."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.hubspot.wire import Wire as HubSpot
from connectors.salesforce.options import Options
from connectors.salesforce.wire import Call
from connectors.salesforce.wire import Wire as Salesforce
from syncd.contract.body import BODY_LIMIT, Body, TooLarge, Unreadable
from syncd.contract.errors import InDoubt, Retry
from syncd.contract.http import Http
from syncd.contract.sdk_http import limit_calls

from . import hostile
from .hostile import Answer

WITHIN = 0.4  # seconds
MEGABYTE = 1 << 20
APP = {"domain": "acme.my", "client_id": "c", "client_secret": "s"}
ZEROS = hostile.zeros(200)

SLOW = {
    "head": hostile.dripping_head,
    "body": hostile.dripping_body,
    "chunks": hostile.dripping_chunks,
    "interim answers": hostile.interim_for_ever,
}
LARGE = {
    "endless body": hostile.endless_body,
    "endless chunks": hostile.endless_chunks,
    "endless frame": hostile.endless_chunk_line,
    "gzip": hostile.bomb("gzip", ZEROS),
    "gzip in gzip": hostile.bomb("gzip, gzip", gzip.compress(ZEROS)),
    "of a refusal": hostile.bomb("gzip", ZEROS, 400),
    "of an outage": hostile.bomb("gzip", ZEROS, 503),
    "after the end": hostile.trailing_for_ever,
}


def by_httpx(url: str, within: float) -> None:
    async def main() -> None:
        http = Http(url, {})
        try:
            await http.call("POST", "/x", json_body={}, paid=True, within=within)
        finally:
            await http.aclose()

    asyncio.run(main())


def by_hubspots_sdk(url: str, within: float) -> None:
    wire = HubSpot(url, "pat-x", within=within)
    try:
        wire.send("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": []})
    finally:
        wire.close()


def by_salesforces_sdk(url: str, within: float) -> None:
    wire = Salesforce(Options.model_validate(APP), url, 1, within=within)
    try:
        wire.login()
        wire.send(Call("PATCH", "composite/sobjects", body={}))
    finally:
        wire.close()


CLIENTS: dict[str, Callable[[str, float], None]] = {
    "httpx": by_httpx,
    "hubspot": by_hubspots_sdk,
    "salesforce": by_salesforces_sdk,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW.keys())
def test_n4_what_drips_is_cut_and_in_doubt(client: str, answer: Answer) -> None:
    with hostile.hostile(answer) as url, pytest.raises(InDoubt):
        CLIENTS[client](url, WITHIN)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", LARGE.values(), ids=LARGE.keys())
def test_n4_what_is_too_large_is_cut_and_in_doubt(client: str, answer: Answer) -> None:
    tracemalloc.start()
    try:
        with hostile.hostile(answer) as url, pytest.raises(InDoubt):
            CLIENTS[client](url, 40.0)
        assert tracemalloc.get_traced_memory()[1] < 200 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_n4_a_read_that_was_cut_is_asked_again() -> None:
    async def main(url: str) -> None:
        http = Http(url, {})
        with pytest.raises(Retry, match=r"not complete within 0.4 seconds"):
            await http.call("GET", "/x", within=WITHIN)
        with pytest.raises(Retry, match=r"not complete within 0.4 seconds"):  # and the client is of use again
            await http.call("GET", "/x", within=WITHIN)
        await http.aclose()

    with hostile.hostile(hostile.dripping_body) as url:
        asyncio.run(main(url))


@pytest.mark.parametrize("answer", [hostile.dripping_body, hostile.dripping_head, hostile.bomb("gzip", ZEROS)])
def test_n4_a_login_without_an_end_is_tried_again(answer: Answer) -> None:
    with hostile.hostile(answer, login=False) as url:
        wire = Salesforce(Options.model_validate(APP), url, 1, within=WITHIN)
        with pytest.raises(Retry, match="login: "):
            wire.login()
        wire.close()


def test_n4_a_secure_connection_has_the_same_limits_and_is_kept(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(self_signed())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    manager = urllib3.PoolManager(ca_certs=str(certificate), retries=urllib3.Retry(0))
    limit_calls(manager, within=WITHIN)
    well = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    with hostile.hostile(lambda sock: sock.sendall(well), tls=tls) as url:
        pool = manager.connection_from_url(url)
        for _ in range(3):
            assert manager.request("GET", f"{url}/x").data == b"{}"
        assert (pool.num_connections, pool.num_requests) == (1, 3)
    for answer in (hostile.dripping_body, hostile.dripping_head, hostile.bomb("gzip", ZEROS)):
        with hostile.hostile(answer, tls=tls) as url, pytest.raises(urllib3.exceptions.HTTPError):
            manager.request("POST", f"{url}/x")
    manager.clear()


def self_signed() -> bytes:
    """A key and a certificate for 127.0.0.1, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, secrecy = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(pem, form, secrecy) + made.public_bytes(pem)


# --- the cap itself ---------------------------------------------------------------------------


def whole(encoding: str, limit: int, *parts: bytes) -> bytes:
    body = Body(encoding, limit)
    for part in parts:
        body.add(part)
    return body.whole()


@pytest.mark.parametrize("encoding", ["", "identity", " GZIP ", "x-gzip", "deflate"])
def test_n4_what_is_below_the_cap_is_read(encoding: str) -> None:
    text = b"0123456789" * 100_000
    packed = text if encoding in {"", "identity"} else gzip.compress(text)
    assert whole(encoding, len(text), *(packed[start : start + 1000] for start in range(0, len(packed), 1000))) == text


def test_n4_one_byte_above_the_cap_is_too_much() -> None:
    for encoding, packed in (("", b"x" * 1001), ("gzip", gzip.compress(b"x" * 1001))):
        with pytest.raises(TooLarge):
            whole(encoding, 1000, packed)


def test_n4_a_body_that_unpacks_to_nothing_counts_as_it_came() -> None:
    begin, nothing = zlib.compressobj(wbits=31).compress(b""), b"\x00\x00\x00\xff\xff"
    with pytest.raises(TooLarge):
        whole("gzip", 1000, begin, *[nothing] * 1000)


def test_n4_what_follows_the_end_is_not_dropped_in_silence() -> None:
    packed = gzip.compress(b"x")
    for parts in ([packed + b" "], [packed, b" "], [packed * 2]):
        with pytest.raises(Unreadable, match="follows"):
            whole("gzip", 1000, *parts)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd", "gzip,identity", "x" * 100_000])
def test_n4_an_encoding_that_nobody_asked_for_is_not_read(encoding: str) -> None:
    with pytest.raises(Unreadable, match="nobody asked for") as raised:
        Body(encoding)
    assert len(str(raised.value)) < 200


def test_n4_a_compressed_body_that_is_cut_or_wrong_is_not_believed() -> None:
    for packed in (gzip.compress(b"x" * 1000)[:-1], b"\x1f", b"{}"):
        with pytest.raises(Unreadable):
            whole("gzip", BODY_LIMIT, packed)
    assert whole("gzip", BODY_LIMIT) == b""  # a 204 has no body, whatever its head says
