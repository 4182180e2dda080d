"""The files that the environment names for TLS: trusted certificates, and a log of keys."""

from __future__ import annotations

import os
import re
import ssl
from functools import cache
from pathlib import Path

from sync.errors import EnvironmentVariableError


def check_certificates() -> None:
    """Check the files and folders that the environment names for TLS.

    Raises:
        EnvironmentVariableError: one of them cannot be used.
    """
    _check(*(os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")))


@cache
def _check(file: str, folder: str, key_log: str) -> None:
    if key_log:
        _check_key_log(key_log)
    if file:
        _check_file(file)
    elif folder:  # the file comes before it
        _check_folder(folder)


def _check_file(file: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ssl.SSLError:
        raise EnvironmentVariableError("SSL_CERT_FILE", f"{file} holds no certificates in PEM format") from None
    except (OSError, ValueError) as error:
        raise _unusable("SSL_CERT_FILE", file, "read", error) from None


def _check_folder(folder: str) -> None:
    """Look for certificates: OpenSSL says nothing about a folder without any, and then every server is refused."""
    try:
        names = [path.name for each in folder.split(os.pathsep) for path in Path(each).iterdir()]
    except (OSError, ValueError) as error:
        raise _unusable("SSL_CERT_DIR", folder, "read", error) from None
    if not any(re.fullmatch(r"[0-9a-f]{8}\.\d+", name) for name in names):
        reason = f"{folder} holds no certificates named by their hash; run `openssl rehash {folder}`"
        raise EnvironmentVariableError("SSL_CERT_DIR", reason)


def _check_key_log(file: str) -> None:
    """Open the file as OpenSSL does, whose error would name no variable."""
    try:
        with Path(file).open("ab"):
            pass
    except (OSError, ValueError) as error:
        raise _unusable("SSLKEYLOGFILE", file, "written", error) from None


def _unusable(variable: str, path: str, how: str, error: Exception) -> EnvironmentVariableError:
    reason = getattr(error, "strerror", None) or error
    return EnvironmentVariableError(variable, f"{path} cannot be {how} ({reason}); correct or unset it")
