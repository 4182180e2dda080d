"""Proxies of the environment: IPv6 and ranges in NO_PROXY work, and an unusable part is named without a login."""

from __future__ import annotations

import pytest

from sync.errors import EnvironmentVariableError
from sync.proxies import proxy_for

PROXY = "http://user:canary@proxy:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("localhost,fd07:b51a:cc66:f0::/64", "https://[fd07:b51a:cc66:f0::1]", True),
        ("localhost,fd07:b51a:cc66:f0::/64", "https://[fd07:b51a:cc66:f1::1]", False),
        ("[fd07:b51a:cc66:f0::]/64", "https://[fd07:b51a:cc66:f0::1]", True),
        ("localhost,fd07:b51a:cc66:f0::/64", "https://localhost", True),
        ("[::1]", "https://[::1]:8443", True),
        ("::1", "https://[::1]", True),
        ("[::1]:8443", "https://[::1]:8443", True),
        ("[::1]:8443", "https://[::1]", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.9.9.9/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://cloud.example", False),
        ("example.com", "https://example.com", True),
        ("example.com", "https://WWW.example.com", True),
        ("example.com", "https://notexample.com", False),
        (".example.com", "https://www.example.com", True),
        (".example.com", "https://example.com", False),
        ("*.example.com", "https://www.example.com", True),
        ("Example.com:443", "https://example.com", True),
        ("example.com:8443", "https://example.com", False),
        ("https://example.com", "https://example.com", True),
        ("http://example.com", "https://example.com", False),
        ("a b,, example.com ", "https://example.com", True),
        ("*", "https://example.com", True),
        ("", "https://example.com", False),
    ],
)
def test_no_proxy_takes_names_addresses_and_ranges(
    no_proxy: str,
    url: str,
    direct: bool,  # noqa: FBT001 - the two ways
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NO_PROXY takes names, names below one, IPv4 and IPv6 addresses, ranges and ports."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert proxy_for(url) == (None if direct else PROXY)


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "fd07::/200", "[::1", "ex;ample", "host:port", "ftp://host"])
def test_an_unusable_entry_of_no_proxy_is_named(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that cannot be understood is named with its variable, even behind one that covers the server."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("no_proxy", f"example.com,{entry}")
    with pytest.raises(EnvironmentVariableError) as caught:
        proxy_for("https://example.com")

    assert str(caught.value).startswith(f"no_proxy (environment): `{entry}` cannot be used")


@pytest.mark.parametrize(
    ("proxy", "part"),
    [
        ("socks://user:canary@127.0.0.1:7890/", "`socks://`"),
        ("socks5://user:canary@127.0.0.1:7890", "`socks5://`"),
        ("http://user:canary@127.0.0.1:port", "its host or port"),
        ("http://user:canary@127.0.0.1:0", "its host or port"),
        ("http://user:can ary@127.0.0.1:1", "its host or port"),
        ("http://user:canary@[::1", "its host or port"),
        ("http://:80", "its host or port"),
        ("http://user:can/ary@127.0.0.1:1", "its host or port"),
        ("http://127.0.0.1:1/canary", "what follows the host and port"),
        ("canary://user:canary://host", "what comes before `://`"),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_an_unusable_proxy_is_named(name: str, proxy: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be used is named by its variable and the wrong part, without its login."""
    monkeypatch.setenv(name, proxy)
    with pytest.raises(EnvironmentVariableError) as caught:
        proxy_for("https://example.com")

    assert str(caught.value).startswith(f"{name} (environment): {part} cannot be used")
    assert "canary" not in str(caught.value)


def test_what_no_request_uses_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http uses no proxy, https none of HTTP_PROXY, and HTTPS_PROXY comes before ALL_PROXY."""
    monkeypatch.setenv("HTTP_PROXY", "socks://wrong")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/99")
    assert proxy_for("https://example.com") is None
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", "socks://wrong")
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")

    assert proxy_for("http://example.com") is None
    assert proxy_for("https://example.com") == "http://proxy:3128"
