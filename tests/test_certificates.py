"""Files that the environment names for TLS: one that cannot be used is named with its variable."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from sync.certificates import check_certificates
from sync.errors import EnvironmentVariableError


@pytest.mark.parametrize(
    ("variable", "content", "reason"),
    [
        ("SSL_CERT_FILE", None, "cannot be read (No such file or directory)"),
        ("SSL_CERT_FILE", "no certificate", "holds no certificates in PEM format"),
        ("SSL_CERT_FILE", "", "holds no certificates in PEM format"),
        ("SSL_CERT_DIR", None, "cannot be read (No such file or directory)"),
        ("SSL_CERT_DIR", "a file", "cannot be read (Not a directory)"),
    ],
)
def test_an_unusable_file_is_named(
    variable: str, content: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable, the path and the reason are named."""
    path = tmp_path / "certificates"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(EnvironmentVariableError) as caught:
        check_certificates()

    assert str(caught.value).startswith(f"{variable} (environment): {path} {reason}")


def test_a_folder_needs_certificates_named_by_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL finds certificates in a folder only by their hash, and says nothing if there are none."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(EnvironmentVariableError, match="openssl rehash"):
        check_certificates()


def test_a_log_of_keys_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSLKEYLOGFILE is named with its path and the reason."""
    monkeypatch.setenv("SSLKEYLOGFILE", "/nonexistent/x")
    with pytest.raises(EnvironmentVariableError) as caught:
        check_certificates()

    assert str(caught.value).startswith("SSLKEYLOGFILE (environment): /nonexistent/x cannot be written (No such file")


def test_usable_files_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of certificates, a folder with one named by its hash, and a log of keys pass."""
    file, folder = tmp_path / "ca.pem", tmp_path / "folder"
    trustme.CA().cert_pem.write_to_path(str(file))
    folder.mkdir()
    folder.joinpath("0a1b2c3d.0").write_bytes(file.read_bytes())
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    check_certificates()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    check_certificates()
