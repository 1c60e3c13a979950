"""How calls leave this host: by a proxy or not, and whose certificates are trusted. The same for every connection.

Trusted are the certificate authorities of the system (where OpenSSL or the distribution keeps them; `SSL_CERT_FILE` and
`SSL_CERT_DIR` are OpenSSL's own words for that place), and those of `ca_file`. Of the environment nothing else counts:
not `HTTPS_PROXY`, not `REQUESTS_CA_BUNDLE`, not a `.netrc`. A host without any certificates trusts those of certifi.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

ELSEWHERE = (  # where distributions keep them, if a Python brings an OpenSSL of its own that looks elsewhere
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/cert.pem",  # older ones
    "/etc/ssl/cert.pem",  # Alpine, Arch
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


@dataclass(frozen=True)
class Network:
    """`proxy`: `http://host:port`, with user and password where it wants them; "" is none. `ca_file`: PEM.
    `ca_digest`: of that file's content when the configuration was read, so that a reload notices a renewed file."""

    proxy: str = field(default="", repr=False)
    ca_file: Path | None = None
    ca_digest: str = field(default="", repr=False)

    @property
    def proxy_url(self) -> str:
        """The proxy without user and password, or ""."""
        parts = urlsplit(self.proxy)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{parts.port or 80}" if self.proxy else ""

    @property
    def proxy_login(self) -> tuple[str, str] | None:
        """User and password for the proxy."""
        parts = urlsplit(self.proxy)
        return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """One context for all connections: to make one means to read all certificates of the host."""
        context = trusting()
        if self.ca_file is not None:
            context.load_verify_locations(cafile=str(self.ca_file))
        return context


def trusting(elsewhere: Iterable[str] = ELSEWHERE) -> ssl.SSLContext:
    """A context with the authorities of this host, or of certifi where it has none.

    `elsewhere`: files in which they may be if OpenSSL finds none.

    As `truststore` finds them. Its own context is of no use here: it reads the certificates again for each connection,
    and holds a lock during a handshake, so that a slow host in one thread would stop the event loop.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).glob("????????.[0-9]"))):
        context.set_default_verify_paths()
        return context
    found = next((file for file in elsewhere if Path(file).is_file()), None)
    if found is None:
        import certifi  # noqa: PLC0415 - only where the host has none

        found = certifi.where()
    context.load_verify_locations(cafile=found)
    return context
