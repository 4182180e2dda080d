"""The settings: read once, frozen, with one message for all mistakes; secrets are never shown."""

from sync.settings.loading import files_of_secrets, load
from sync.settings.model import Credentials, Keys, Password, Settings, Source, Token
from sync.settings.secret import Secret

__all__ = [
    "Credentials",
    "Keys",
    "Password",
    "Secret",
    "Settings",
    "Source",
    "Token",
    "files_of_secrets",
    "load",
]
