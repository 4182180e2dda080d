"""Which kind of credentials a source uses, where kinds share settings, and what each kind needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from settings_tools import SUPPORT

from sync.errors import SettingsError
from sync.settings import ApplicationCredential, Credentials, Keys, Password, Token, load

IAM = 'iam_endpoint = "https://iam.example.com"\n'
USER = f'{IAM}username = "reader"\npassword = "p4ss"\ndomain = "acme"\nproject = "demo"\n'
APPLICATION = f'{IAM}application_credential_id = "a1"\napplication_credential_secret = "s3cret"\n'
VENDOR = {"HUAWEICLOUD_SDK_AK": "vak", "HUAWEICLOUD_SDK_SK": "vsk"}

Choose = Callable[..., Credentials]


@pytest.fixture
def choose(tmp_path: Path) -> Choose:
    """A function that returns the credentials of a source that is set in [[sources]] and [defaults]."""

    def credentials(own: str, defaults: str = "", *, api: str = "glance", **environ: str) -> Credentials:
        file = tmp_path / "some.toml"
        file.write_text(f'[defaults]\nendpoint = "https://h"\n{defaults}[[sources]]\napi = "{api}"\n{own}')
        return load(environ, file=file, apis=SUPPORT).sources[0].credentials

    return credentials


def mistakes(choose: Choose, own: str, defaults: str = "", **more: str) -> tuple[str, ...]:
    """The mistakes in these settings."""
    with pytest.raises(SettingsError) as caught:
        choose(own, defaults, **more)
    return caught.value.mistakes


def test_a_shared_setting_decides_nothing(choose: Choose) -> None:
    """The id of a project beside a source goes with the credentials of the defaults, or the vendor's variables."""
    user = choose('project_id = "p1"', USER.replace('project = "demo"\n', ""))
    token = choose('project_id = "p1"', 'token = "t0ken"\n')
    keys = choose('project_id = "p1"', api="ims", **VENDOR)

    assert isinstance(user, Password)
    assert (user.project_id, user.username) == ("p1", "reader")
    assert isinstance(token, Token)
    assert token.project_id == "p1"
    assert isinstance(keys, Keys)
    assert (keys.project_id, keys.access_key.reveal()) == ("p1", "vak")


def test_the_nearest_kind_wins(choose: Choose) -> None:
    """An application credential or a token of a source replaces the user of the defaults."""
    application = choose('application_credential_id = "a1"\napplication_credential_secret = "s3cret"', USER)
    token = choose('token = "t0ken"\nproject_id = "p1"', USER)

    assert isinstance(application, ApplicationCredential)
    assert application.iam_endpoint == "https://iam.example.com"
    assert isinstance(token, Token)


def test_a_user_needs_no_token_of_the_defaults(choose: Choose) -> None:
    """A user's name beside a source is a user without a password, whatever else the defaults have."""
    found = mistakes(choose, f'{IAM}username = "reader"\nproject_id = "p1"', 'token = "t0ken"\n')

    assert [mistake.partition(": ")[2].partition(" ")[0] for mistake in found] == ["password", "domain"]


def test_a_user_takes_no_keys_of_the_environment(choose: Choose) -> None:
    """A user without a password stays one, even if the vendor's variables have a key pair."""
    found = mistakes(choose, f'{IAM}username = "reader"\ndomain = "acme"', api="iec", **VENDOR)

    assert [mistake.partition(": ")[2].partition(" ")[0] for mistake in found] == ["password"]


def test_only_a_shared_setting(choose: Choose) -> None:
    """The id of a project alone is no credential."""
    (mistake,) = mistakes(choose, 'project_id = "p1"')

    assert "credentials are missing; give token; or iam_endpoint" in mistake


@pytest.mark.parametrize(
    "own", ['token = "t"\nusername = "reader"', 'access_key = "a"\nproject = "demo"', APPLICATION + USER]
)
def test_kinds_that_do_not_go_together(choose: Choose, own: str) -> None:
    """Settings of two kinds in one place are one mistake, which names them."""
    (mistake,) = mistakes(choose, own.replace(IAM, ""))

    assert "are credentials of different kinds; keep one kind" in mistake


@pytest.mark.parametrize(
    "pair",
    [
        ("domain", "domain_id"),
        ("user_domain", "user_domain_id"),
        ("project", "project_id"),
        ("project_domain", "project_domain_id"),
    ],
)
def test_a_name_and_an_id(choose: Choose, pair: tuple[str, str]) -> None:
    """A domain or project that is named twice is one mistake."""
    own = USER + "".join(f'{key} = "x"\n' for key in pair if f"{key} =" not in USER)
    (mistake,) = mistakes(choose, own)

    assert "name the same; keep one of them" in mistake
    assert all(f"{key} (some.toml" in mistake for key in pair)


@pytest.mark.parametrize("key", ["domain", "domain_id", "user_domain", "user_domain_id"])
def test_the_domain_of_a_user(choose: Choose, key: str) -> None:
    """The user's domain may be given by name or id, apart from the project's or not."""
    without = USER.replace('domain = "acme"\n', "")
    user = choose(f'{without}{key} = "acme"\nproject_domain = "other"')
    (mistake,) = mistakes(choose, f'{without}project_domain = "other"')

    assert isinstance(user, Password)
    assert getattr(user, key) == "acme"
    assert "domain is missing; set IMAGE_SYNC_DOMAIN, or domain in the settings file; or user_domain" in mistake


def test_an_application_credential_by_name(choose: Choose) -> None:
    """By its name it needs the user's name and domain, by its id neither, and one of the two is required."""
    by_name = APPLICATION.replace("_id", "_name")
    application = choose(f'{by_name}username = "reader"\nuser_domain = "acme"')

    assert isinstance(application, ApplicationCredential)
    assert (application.application_credential_name, application.application_credential_id) == ("a1", None)
    assert [each.split(" is missing")[0].split()[-1] for each in mistakes(choose, by_name)] == ["username", "domain"]
    (neither,) = mistakes(choose, f'{IAM}application_credential_secret = "s3cret"')
    assert "application_credential_id is missing" in neither
    assert "or application_credential_name" in neither


def test_the_secret_of_an_application_credential_is_masked(choose: Choose) -> None:
    """It is never shown, and plain http to its identity service is refused."""
    found = mistakes(choose, APPLICATION.replace("https", "http").replace("s3cret", "canary"))

    assert "plain http would show the credentials" in found[0]
    assert "canary" not in str(found) + repr(choose(APPLICATION.replace("s3cret", "canary")))
