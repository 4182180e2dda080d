"""A given token is read again from its file when it is refused: once in a run, and only if it is another one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from credential_tools import Run, page, statuses
from fault_rules import FaultySimulator
from settings_tools import SUPPORT

from sync.cloud.auth.credential import GivenToken
from sync.cloud.auth.grant import Grant
from sync.domain.scope import Scope
from sync.errors import UnauthorizedError
from sync.logs import mask
from sync.settings import Secret, Token, load
from sync.simulator import Simulator, World


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud that knows one token."""
    with FaultySimulator(World(1, 3)) as simulator:
        yield simulator


def from_file(file: Path, simulator: Simulator) -> Secret:
    """The token of the settings, from a file that holds an old one at first."""
    file.write_text("old-token-0123456789\n")
    environ = {"IMAGE_SYNC_ENDPOINT": simulator.url, "IMAGE_SYNC_TOKEN_FILE": str(file)}
    credentials = load(environ, apis=SUPPORT).sources[0].credentials
    assert isinstance(credentials, Token)
    return credentials.token


def test_a_new_token_in_the_file_is_used(simulator: Simulator, tmp_path: Path) -> None:
    """After one 401 the run goes on with the new token, which is masked; the next run begins with it."""
    token = from_file(tmp_path / "token", simulator)
    (tmp_path / "token").write_text(f"{simulator.token}\n")
    run, later = Run(), Run()
    with run.client(simulator, GivenToken(token)) as client:
        page(client)
    with later.client(simulator, GivenToken(token)) as client:
        page(client)

    assert statuses(simulator) == [401, 200, 200]
    assert mask(f"it is {simulator.token}") == "it is ***"


def test_eight_threads_take_the_new_token(simulator: Simulator, tmp_path: Path) -> None:
    """Threads whose token is refused at the same time all go on with the new one."""
    token = from_file(tmp_path / "token", simulator)
    (tmp_path / "token").write_text(simulator.token)
    with Run().client(simulator, GivenToken(token)) as client, ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: page(client), range(8)))

    assert all(pages)
    assert len(pages) == 8


@pytest.mark.parametrize("content", ["old-token-0123456789\n", "", "two words", None])
def test_a_file_without_another_token_changes_nothing(
    simulator: Simulator, tmp_path: Path, content: str | None
) -> None:
    """If the file holds the same token, none that is valid, or is gone, the refusal stands after one request."""
    token = from_file(tmp_path / "token", simulator)
    (tmp_path / "token").unlink()
    if content is not None:
        (tmp_path / "token").write_text(content)
    with Run().client(simulator, GivenToken(token)) as client, pytest.raises(UnauthorizedError):
        page(client)

    assert statuses(simulator) == [401]
    assert token.reveal() == "old-token-0123456789"


def test_a_second_refusal_ends_the_run(simulator: Simulator, tmp_path: Path) -> None:
    """A run takes one new token at most, even if the file changes again, and says that it tried it."""
    token = from_file(tmp_path / "token", simulator)
    (tmp_path / "token").write_text("newer-token-0123456789")
    with Run().client(simulator, GivenToken(token)) as client:
        with pytest.raises(UnauthorizedError, match="the new token from its file is refused, too"):
            page(client)
        (tmp_path / "token").write_text(simulator.token)
        with pytest.raises(UnauthorizedError):
            page(client)

    assert statuses(simulator) == [401, 401, 401]


def test_a_token_that_is_in_no_file_is_not_read_again(simulator: Simulator) -> None:
    """A token of the environment or the settings file itself is refused for good."""
    with Run().client(simulator, GivenToken(Secret("old-token"))) as client, pytest.raises(UnauthorizedError):
        page(client)

    assert statuses(simulator) == [401]


def test_a_project_that_only_the_settings_name_is_not_certain() -> None:
    """Without the identity service, nothing says that a token is for its project; with it, the service does."""
    looked_up = GivenToken(Secret("t"), "p", lambda _token: Grant(Scope("p")))

    assert GivenToken(Secret("t"), "p").grant() == Grant(Scope("p", certain=False))
    assert looked_up.grant() == Grant(Scope("p"))
