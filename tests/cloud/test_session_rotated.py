"""Passwords and keys in files are read again when they are refused; only other ones are tried, once in a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from credential_tools import LOGIN, page, statuses, together
from fault_rules import FaultySimulator
from settings_tools import SUPPORT

from sync.cloud.retry import RetryPolicy
from sync.cloud.session import open_session
from sync.errors import ImageSyncError, UnauthorizedError
from sync.logs import mask
from sync.settings import Source, load
from sync.simulator import Keys, Simulator, World

OLD, NEW = "canary-old-0123", "canary-new-0123"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud of three images; its user and its key pair have the old secret."""
    login = replace(LOGIN, password=OLD)
    with FaultySimulator(World(1, 3), login=login, keys=Keys("AK", OLD)) as simulator:
        yield simulator


@dataclass
class Rotated:
    """A source with secrets in files, and the cloud that knows them."""

    simulator: Simulator
    folder: Path
    source: Source

    def write(self, **secrets: str) -> None:
        """Write these secrets to their files."""
        for name, value in secrets.items():
            (self.folder / name).write_text(f"{value}\n")

    def run(self, pages: int = 1) -> int:
        """Read pages in one run; the number of its requests."""
        policy = RetryPolicy(60, 20)
        with open_session(self.source, policy) as session:
            for _ in range(pages):
                page(session.client)
        return policy.stats.requests

    def fails(self) -> str:
        """The error of a run that is refused."""
        with pytest.raises(UnauthorizedError) as caught:
            self.run()
        assert "canary" not in str(caught.value)
        return str(caught.value)


def source(simulator: Simulator, **more: str) -> Source:
    """A source of the environment."""
    environ = {"IMAGE_SYNC_ENDPOINT": simulator.url, **more}
    return load(environ, apis=SUPPORT).sources[0]


@pytest.fixture
def user(simulator: Simulator, tmp_path: Path) -> Rotated:
    """A user whose password is in a file."""
    (tmp_path / "password").write_text(OLD)
    settings = {"IAM_ENDPOINT": simulator.url, "USERNAME": LOGIN.user, "DOMAIN": LOGIN.domain}
    settings |= {"PASSWORD_FILE": str(tmp_path / "password")}
    environ = {f"IMAGE_SYNC_{name}": value for name, value in settings.items()}
    return Rotated(simulator, tmp_path, source(simulator, **environ))


@pytest.fixture
def pair(simulator: Simulator, tmp_path: Path) -> Rotated:
    """A key pair in files."""
    rotated = Rotated(simulator, tmp_path, None)  # type: ignore[arg-type] # needs the files first
    rotated.write(access="AK", secret=OLD)
    names = {"ACCESS_KEY_FILE": "access", "SECRET_KEY_FILE": "secret"}
    rotated.source = source(simulator, **{f"IMAGE_SYNC_{name}": str(tmp_path / file) for name, file in names.items()})
    return rotated


def change_password(user: Rotated, password: str, file: str) -> None:
    """Set another password in the cloud, which revokes the tokens, and write one to the file."""
    user.simulator.identity.login = replace(LOGIN, password=password)
    user.simulator.identity.revoke()
    user.write(password=file)


@pytest.mark.parametrize("runs", [0, 1])
def test_a_new_password_in_the_file_is_used(user: Rotated, runs: int) -> None:
    """A refused login is followed by one with the new password, which the next runs use; logs mask it."""
    for _ in range(runs):
        user.run()
    change_password(user, NEW, NEW)
    user.run(pages=3)
    user.run()

    assert user.simulator.identity.token_calls == runs + 2
    assert mask(f"it is {NEW}") == "it is ***"


def test_a_password_that_changes_in_a_run(user: Rotated) -> None:
    """A run that logged in already, and whose token and password are then refused, logs in with the new password."""
    with open_session(user.source, RetryPolicy(60, 20)) as session:
        page(session.client)
        change_password(user, NEW, NEW)
        pages = together(8, lambda: page(session.client))

    assert all(isinstance(each, bytes) for each in pages)
    assert user.simulator.identity.token_calls == 3


def test_the_same_password_is_not_tried_again(user: Rotated) -> None:
    """As long as the file holds the same password, or none, there is one login, also for other runs and threads."""
    change_password(user, NEW, OLD)
    assert "refuses the login" in user.fails()
    assert "refused this login" in user.fails()
    (user.folder / "password").unlink()
    with open_session(user.source, RetryPolicy(60, 20)) as session:
        errors = together(4, lambda: page(session.client))

    assert all(isinstance(error, ImageSyncError) for error in errors)
    assert user.simulator.identity.token_calls == 1


def test_another_wrong_password_is_tried_once(user: Rotated) -> None:
    """A new password that is refused, too, ends the run, which says so and tries no third one; nor does the next run."""
    change_password(user, NEW, "canary-wrong")
    with open_session(user.source, RetryPolicy(60, 20)) as session:
        with pytest.raises(UnauthorizedError, match="the new password from its file is refused, too"):
            page(session.client)
        user.write(password=NEW)
        with pytest.raises(UnauthorizedError):
            page(session.client)
    assert user.simulator.identity.token_calls == 2
    user.write(password="canary-wrong")
    user.fails()

    assert user.simulator.identity.token_calls == 2


def test_a_password_corrected_between_two_runs(user: Rotated) -> None:
    """The half hour after a refused login is for the same password: a new one is tried by the next run."""
    change_password(user, NEW, OLD)
    user.fails()
    user.write(password=NEW)
    user.run()

    assert user.simulator.identity.token_calls == 2


def test_new_keys_in_the_files_are_used(pair: Rotated) -> None:
    """Refused keys are followed by those that the files hold now, in this run and the next one; logs mask them."""
    pair.simulator.identity.keys = Keys("AK2", NEW)
    pair.write(access="AK2", secret=NEW)
    pair.run(pages=2)
    pair.run()

    assert statuses(pair.simulator) == [401, 200, 200, 200]
    assert mask(f"it is {NEW}") == "it is ***"


def test_eight_threads_take_the_new_secret_of_a_key(pair: Rotated) -> None:
    """Threads that are refused at the same time all go on, even if the id of the key is the same."""
    with open_session(pair.source, RetryPolicy(60, 20)) as session:
        page(session.client)
        pair.simulator.identity.keys = Keys("AK", NEW)
        pair.write(secret=NEW)
        pages = together(4, lambda: page(session.client))

    assert all(isinstance(each, bytes) for each in pages)


def test_the_same_keys_sign_nothing_more(pair: Rotated) -> None:
    """As long as the files hold the same keys, a run sends one request: wrong signatures lock a key."""
    pair.simulator.identity.keys = Keys("AK2", NEW)
    message = pair.fails()

    assert statuses(pair.simulator) == [401]
    assert "new keys" not in message


def test_other_wrong_keys_are_tried_once(pair: Rotated) -> None:
    """New keys that are refused, too, end the run, which says so, whatever the files hold then."""
    pair.simulator.identity.keys = Keys("AK2", NEW)
    pair.write(access="AK2", secret="canary-wrong")
    with open_session(pair.source, RetryPolicy(60, 20)) as session:
        with pytest.raises(UnauthorizedError, match="the new keys from their files are refused, too"):
            page(session.client)
        pair.write(secret=NEW)
        with pytest.raises(UnauthorizedError):
            page(session.client)

    assert statuses(pair.simulator) == [401, 401, 401]
