"""The settings: read once, frozen, with one message for all mistakes; secrets are never shown."""

from sync.settings.apis import ApiSupport
from sync.settings.loading import files_of_secrets, load
from sync.settings.logins import ApplicationCredential, Credentials, Keys, Password, Token
from sync.settings.model import Settings, Source
from sync.settings.secret import Secret

__all__ = [
    "ApiSupport",
    "ApplicationCredential",
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
