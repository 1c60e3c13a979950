"""Every connection leaves by the same proxy and trusts the same certificates, and says why a host was not reached."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.hubspot.wire import Wire as HubSpot
from connectors.salesforce.options import Options
from connectors.salesforce.wire import Call
from connectors.salesforce.wire import Wire as Salesforce
from syncd.contract.errors import InDoubt, Retry
from syncd.contract.http import Http
from syncd.contract.network import Network, trusting

from . import hostile, proxying
from .proxying import Authority, proxy

WITHIN = 0.5  # seconds
APP = {"domain": "acme.my", "client_id": "c", "client_secret": "s"}
WELL = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def well(sock: socket.socket) -> None:
    sock.sendall(WELL)


def by_httpx(url: str, network: Network, within: float) -> None:
    async def main() -> None:
        http = Http(url, {}, network=network)
        try:
            assert (await http.call("POST", "/x", json_body={}, paid=True, within=within)).json() == {}
        finally:
            await http.aclose()

    asyncio.run(main())


def by_hubspots_sdk(url: str, network: Network, within: float) -> None:
    wire = HubSpot(url, "pat-x", within=within, network=network)
    try:
        assert wire.send("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": []}).body == {}
    finally:
        wire.close()


def by_salesforces_sdk(url: str, network: Network, within: float) -> None:
    wire = Salesforce(Options.model_validate(APP), url, 1, within=within, network=network)
    try:
        wire.login()
        assert wire.send(Call("PATCH", "composite/sobjects", body={})).body == {}
    finally:
        wire.close()


Client = Callable[[str, Network, float], None]
CLIENTS: dict[str, Client] = {"httpx": by_httpx, "hubspot": by_hubspots_sdk, "salesforce": by_salesforces_sdk}
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    return CLIENTS[request.param]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def fails(client: Client, url: str, network: Network | None = None, *, error: type[Exception] = Retry) -> str:
    with pytest.raises(error) as raised:
        client(url, network or Network(), WITHIN * 10)
    return str(raised.value)


# --- certificates ---------------------------------------------------------------------------------


def test_n3_a_company_s_own_authority_is_trusted_where_it_is_named(client: Client, authority: Authority) -> None:
    with hostile.hostile(well, tls=authority.server()) as url:
        client(url, Network(ca_file=authority.file), 5.0)
        said = fails(client, url)
    assert re.search(r"could not reach 127.0.0.1: its certificate is not trusted: .*certificate", said)
    assert "network.ca_file" in said


def test_n3_a_certificate_says_what_is_wrong_with_it(client: Client, authority: Authority) -> None:
    network = Network(ca_file=authority.file)
    with hostile.hostile(well, tls=authority.server(expired=True)) as url:
        assert "is not trusted: certificate has expired" in fails(client, url, network)
    with hostile.hostile(well, tls=authority.server("127.0.0.9")) as url:
        assert "is not trusted: IP address mismatch, certificate is not valid for '127.0.0.1'" in fails(
            client, url, network
        )


def test_n3_the_system_s_store_counts_and_of_the_environment_nothing_else(
    client: Client, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's own names for the system's store are the system's store; what other programs read is not."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(authority.file))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with hostile.hostile(well, tls=authority.server()) as url:
        assert "is not trusted" in fails(client, url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        client(url, Network(), 5.0)


def test_n3_a_host_without_certificates_trusts_those_of_certifi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "absent"))
    assert trusting(elsewhere=()).cert_store_stats()["x509_ca"] > 50
    kept = str(Authority(tmp_path).file)
    found = trusting(elsewhere=(str(tmp_path / "absent.pem"), kept)).cert_store_stats()["x509_ca"]
    assert found == 1, "what the distribution keeps elsewhere comes first"


# --- proxies --------------------------------------------------------------------------------------


def test_n3_every_call_goes_by_the_proxy(client: Client, authority: Authority) -> None:
    with hostile.hostile(well, tls=authority.server()) as url, proxy() as (way, seen):
        client(url, Network(proxy=way, ca_file=authority.file), 5.0)
    assert {line.rpartition(" ")[0] for line in seen} == {f"CONNECT {url.removeprefix('https://')}"}


def test_n3_plain_http_on_this_machine_goes_by_it_too(client: Client) -> None:
    with hostile.hostile(well) as url, proxy() as (way, seen):
        client(url, Network(proxy=way), 5.0)
    assert seen
    assert all(line.startswith((f"POST {url}/", f"PATCH {url}/")) for line in seen)


@pytest.mark.parametrize("secure", [True, False])
def test_n3_a_proxy_that_wants_a_login_gets_it_or_is_named(client: Client, authority: Authority, secure: bool) -> None:
    tls = authority.server() if secure else None
    with hostile.hostile(well, tls=tls) as url, proxy(login=("us:er", "p@ss")) as (way, seen):
        known = way.replace("http://", "http://us%3Aer:p%40ss@")
        client(url, Network(proxy=known, ca_file=authority.file), 5.0)
        said = fails(client, url, Network(proxy=way, ca_file=authority.file))
    assert "could not reach 127.0.0.1: the proxy wants a user and a password (407)" in said
    assert len(seen) >= 2


def test_n3_a_proxy_that_refuses_is_quoted_and_nothing_was_sent(client: Client, authority: Authority) -> None:
    with hostile.hostile(well, tls=authority.server()) as url, proxy(answer=proxying.refusing) as (way, _):
        said = fails(client, url, Network(proxy=way, ca_file=authority.file))
    assert said == f"could not reach 127.0.0.1: the proxy {way} refused the way (403 Forbidden by policy)"


def test_n3_a_proxy_that_is_not_there_is_told_from_the_vendor(client: Client) -> None:
    with proxy() as (way, _):
        pass
    said = fails(client, "https://127.0.0.1:9", Network(proxy=way.replace("http://", "http://user:secret@")))
    assert said == f"could not reach 127.0.0.1: the proxy {way}: it refused the connection, nothing listens there"


@pytest.mark.parametrize("answer", [proxying.cutting, proxying.dripping])
def test_n3_a_proxy_that_breaks_before_the_request_leaves_nobody_in_doubt(
    client: Client, authority: Authority, answer: Callable[[socket.socket], None]
) -> None:
    with hostile.hostile(well, tls=authority.server()) as url, proxy(answer=answer) as (way, _):
        network = Network(proxy=way, ca_file=authority.file)
        with pytest.raises(Retry) as raised:
            client(url, network, WITHIN)
    why = "it (cut the connection|did not answer in time)"
    assert re.fullmatch(f"could not reach 127.0.0.1: the proxy {way}: {why}", str(raised.value))


@pytest.mark.parametrize(
    "answer", [hostile.dripping_head, hostile.dripping_body, hostile.bomb("gzip", hostile.zeros(100))]
)
def test_n3_limits_hold_through_a_proxy(client: Client, authority: Authority, answer: hostile.Answer) -> None:
    with hostile.hostile(answer, tls=authority.server()) as url, proxy() as (way, _), pytest.raises(InDoubt):
        client(url, Network(proxy=way, ca_file=authority.file), WITHIN)


def test_n3_neither_a_message_nor_a_picture_of_it_shows_the_proxy_s_password() -> None:
    network = Network(proxy="http://user:secret@proxy:3128")
    assert "secret" not in repr(network)
    assert (network.proxy_url, network.proxy_login) == ("http://proxy:3128", ("user", "secret"))


# --- the cause, in words --------------------------------------------------------------------------


def test_n3_a_name_that_is_not_known(client: Client) -> None:
    assert re.search(
        r"could not reach nobody.invalid: its name is not known \(", fails(client, "https://nobody.invalid")
    )


def test_n3_a_port_where_nothing_listens(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said = fails(client, f"https://127.0.0.1:{port}")
    assert said == "could not reach 127.0.0.1: it refused the connection, nothing listens there"


def test_n3_a_network_without_a_way(client: Client) -> None:
    said = fails(client, "https://[2001:db8::1]:9")
    assert re.search(r"could not reach 2001:db8::1: (there is no way to it|it did not answer)", said)


def test_n3_a_port_that_speaks_no_tls(client: Client) -> None:
    with hostile.hostile(well) as url:
        said = fails(client, url.replace("http:", "https:"))
    assert re.search(r"could not reach 127.0.0.1: TLS failed \(.*\); does its port speak https\?", said)
