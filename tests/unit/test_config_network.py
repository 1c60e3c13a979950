"""`network`: one proxy and one file of authorities for all, or a sentence with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.contract.network import Network
from tests.connectors.proxying import Authority

from .test_config import ENVIRON, GOOD, problems, read


def with_network(written: str) -> str:
    return f"network: {written}\n{GOOD}"


def test_n3_proxy_and_authorities_are_read(tmp_path: Path) -> None:
    Authority(tmp_path)
    environ = {**ENVIRON, "PROXY": "http://user:prox-canary@proxy:3128/"}
    settings = read(tmp_path, with_network('{ proxy: "${PROXY}", ca_file: ca.pem }'), environ)
    assert settings.network.proxy == "http://user:prox-canary@proxy:3128"
    assert settings.network.ca_file == tmp_path / "ca.pem"
    assert settings.warnings == ()
    assert "prox-canary" in settings.secrets
    assert "prox-canary" not in repr(settings)


def test_n3_authorities_that_were_renewed_under_the_same_name_are_another_network(tmp_path: Path) -> None:
    def network() -> Network:
        return read(tmp_path, with_network("{ ca_file: ca.pem }")).network

    Authority(tmp_path)
    before, again = network(), network()
    Authority(tmp_path)
    assert before == again
    assert network() != before


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("proxy: http://proxy", "http://proxy:80"),
        ("proxy: http://Bücher.example:8080/", "http://xn--bcher-kva.example:8080"),
        ('proxy: "http://[2001:DB8::1]:3128"', "http://[2001:db8::1]:3128"),
    ],
)
def test_n3_ways_to_write_a_proxy(tmp_path: Path, written: str, expected: str) -> None:
    assert read(tmp_path, with_network(f"{{ {written} }}")).network.proxy == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{ proxy: proxy:3128 }", "proxy: must be an http proxy (CONNECT); write it like http://proxy:3128"),
        ("{ proxy: https://proxy:3128 }", "proxy: must be an http proxy (CONNECT)"),
        ("{ proxy: socks5://proxy:1080 }", "proxy: must be an http proxy (CONNECT)"),
        ("{ proxy: http://proxy:3128/path }", "proxy: is no proxy's address"),
        ("{ proxy: http://proxy:99999 }", "proxy: is no proxy's address"),
        ("{ proxy: http://a b:1 }", "proxy: has a host with characters that no host has"),
        ("{ ca_file: absent.pem }", "ca_file: {0}/absent.pem can't be read (No such file or directory)"),
        ("{ ca_file: c.yaml }", "ca_file: {0}/c.yaml holds no certificates that can be read; it must be PEM"),
        ("{ ca_flie: c.yaml }", "ca_flie: unknown key; did you mean 'ca_file'?"),
    ],
)
def test_n3_what_is_wrong_is_told_with_its_line(tmp_path: Path, written: str, said: str) -> None:
    (problem,) = problems(tmp_path, with_network(written))
    assert problem.replace(f"{tmp_path}/", "{0}/").startswith(f"c.yaml:1: network.{said}")


def test_n3_a_proxy_in_the_environment_is_not_used_in_silence(tmp_path: Path) -> None:
    environ = {**ENVIRON, "HTTPS_PROXY": "http://user:prox-canary@proxy:1"}
    (warning,) = read(tmp_path, GOOD, environ).warnings
    assert ": network.proxy: HTTPS_PROXY is set where syncd is started, and does not count" in warning
    assert "prox-canary" not in warning
    assert read(tmp_path, with_network("{ proxy: http://proxy:1 }"), environ).warnings == ()


def test_n3_a_proxy_s_password_in_clear_text_is_a_warning(tmp_path: Path) -> None:
    (warning,) = read(tmp_path, with_network("{ proxy: http://user:prox-canary@proxy:1 }")).warnings
    assert ":1: network.proxy: is a secret in clear text" in warning
    assert "canary" not in warning
