"""Tokens that the run fetches itself: one login for all, renewed in time, at most twice a run, never a loop."""

from __future__ import annotations

import json
from collections.abc import Iterator

import breakage
import effects
import pytest
from credential_tools import LOGIN, SECONDS, Clock, Recorder, Run, page, reader, statuses, together
from fault_rules import FaultySimulator

from sync.cloud.auth.token import REST, IamUser, TokenCache
from sync.cloud.client import Client
from sync.errors import ServerFaultError, UnauthorizedError
from sync.simulator import TOKENS, Simulator, World

DAY = 86_400.0


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud of three images that knows a user."""
    with FaultySimulator(World(1, 3), login=LOGIN) as simulator:
        yield simulator


def read(simulator: Simulator, cache: TokenCache, pages: int = 1, *, seconds: float = SECONDS) -> None:
    """One run that reads so many pages."""
    run = Run(seconds)
    with run.client(simulator, run.token(simulator, cache)) as client:
        for _ in range(pages):
            page(client)


@pytest.mark.parametrize("project", [None, LOGIN.project])
def test_one_login_serves_all_pages(simulator: Simulator, project: str | None) -> None:
    """A password gives a token, for the domain or for a project, and all pages are read with that one."""
    run = Run()
    with run.client(simulator, run.token(simulator, user=reader(simulator, project=project))) as client:
        pages = [page(client) for _ in range(3)]

    assert len(json.loads(pages[2])["images"]) == 3
    assert simulator.identity.token_calls == 1
    assert run.stats.requests == 4


@pytest.mark.parametrize(
    ("project", "scope"),
    [
        (None, {"domain": {"name": "acme"}}),
        ("cn-north-4", {"project": {"name": "cn-north-4", "domain": {"name": "acme"}}}),
    ],
)
def test_what_is_asked_is_keystone_v3(project: str | None, scope: object) -> None:
    """The login is the password method of Keystone v3, uncompressed, without the catalog, with no token."""
    with Recorder(201, {"X-Subject-Token": "some-token"}, b'{"token": {}}') as iam:
        user = IamUser(iam.url, "reader", "p4ss wörd", "acme", project)
        with FaultySimulator(World(1, 0)) as simulator:
            Run().token(simulator, user=user).headers("GET", simulator.url)
    method, target, headers, body = iam.asked[0]
    who = {"name": "reader", "password": "p4ss wörd", "domain": {"name": "acme"}}

    assert (method, target) == ("POST", "/v3/auth/tokens?nocatalog=true")
    assert headers["accept-encoding"] == "identity"
    assert "x-auth-token" not in headers
    assert json.loads(body)["auth"] == {
        "identity": {"methods": ["password"], "password": {"user": who}},
        "scope": scope,
    }


def test_runs_of_one_process_share_a_token(simulator: Simulator) -> None:
    """A schedule does not log in each time: ten runs, one login."""
    cache = TokenCache()
    for _ in range(10):
        read(simulator, cache)

    assert simulator.identity.token_calls == 1


def test_eight_threads_log_in_once(simulator: Simulator) -> None:
    """Eight readers that start together share one login, though it takes its time."""
    simulator.faults.add(breakage.delay(0.3), path=TOKENS)
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        pages = together(8, lambda: page(client))

    assert all(isinstance(content, bytes) for content in pages)
    assert simulator.identity.token_calls == 1


def test_eight_refused_threads_log_in_once(simulator: Simulator) -> None:
    """Eight readers whose token is refused at the same time share one renewal, and each gets its page."""
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        page(client)
        simulator.identity.revoke()
        pages = together(8, lambda: page(client))

    assert all(isinstance(content, bytes) for content in pages)
    assert simulator.identity.token_calls == 2


def test_a_token_that_expires_between_pages_is_renewed_once(simulator: Simulator) -> None:
    """The page that was refused is asked for again with a new token, and the next ones use that."""
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        page(client)
        simulator.identity.skew += DAY + 1
        page(client)
        page(client)

    assert statuses(simulator) == [200, 401, 200, 200]
    assert simulator.identity.token_calls == 2


def test_a_token_is_renewed_before_it_runs_out(simulator: Simulator) -> None:
    """A run does not start with a token that ends before its deadline, so nothing is ever refused."""
    clock = Clock()
    cache = TokenCache(clock)
    read(simulator, cache, seconds=900)
    clock.now = DAY - 900 - 60 - 5
    read(simulator, cache, seconds=900)
    assert simulator.identity.token_calls == 1
    clock.now += 10
    read(simulator, cache, 3, seconds=900)

    assert simulator.identity.token_calls == 2
    assert set(statuses(simulator)) == {200}


def test_a_token_is_not_renewed_early_for_a_dead_identity_service(simulator: Simulator) -> None:
    """Where the renewal ahead of time fails, one try is made and the old token is used as long as it lives."""
    clock = Clock()
    cache = TokenCache(clock)
    read(simulator, cache, seconds=900)
    clock.now = DAY - 100
    simulator.faults.add(effects.status(503), times=None, path=TOKENS)
    read(simulator, cache, 3, seconds=900)

    assert simulator.identity.token_calls == 2
    assert set(statuses(simulator)) == {200}


def read_on(simulator: Simulator, client: Client, clock: Clock, step: int) -> None:
    """Read five more pages, one a second by the cloud's clock; ours goes on by ``step``."""
    for _ in range(5):
        page(client)
        simulator.identity.skew += 1
        clock.now += step


@pytest.mark.parametrize("step", [0, 1])
def test_short_tokens_make_no_loop(step: int) -> None:
    """With tokens of 3 seconds a long run logs in twice, is then refused, and says why; also if our clock stops."""
    clock = Clock()
    with FaultySimulator(World(1, 3), login=LOGIN, token_lifetime=3) as simulator:
        run = Run()
        with run.client(simulator, run.token(simulator, TokenCache(clock))) as client:
            read_on(simulator, client, clock, 1)
            with pytest.raises(UnauthorizedError, match=r"logged in 2 times, .* given for [23]") as caught:
                read_on(simulator, client, clock, step)

    assert caught.value.status == 401
    assert simulator.identity.token_calls == 2
    assert statuses(simulator)[-1] == 401
    assert statuses(simulator).count(401) == 1


def test_short_tokens_serve_short_runs() -> None:
    """A token shorter than the deadline is used while it lives: one login for two runs of three pages."""
    with FaultySimulator(World(1, 3), login=LOGIN, token_lifetime=30) as simulator:
        cache = TokenCache(Clock())
        read(simulator, cache, 3, seconds=900)
        read(simulator, cache, 3, seconds=900)

        assert simulator.identity.token_calls == 1


def test_refused_for_ever(simulator: Simulator) -> None:
    """Where every token is refused, a run logs in twice at most, and the next one only once more."""
    simulator.faults.add(effects.status(401), times=None)
    cache = TokenCache()
    with pytest.raises(UnauthorizedError, match="the run logged in 2 times"):
        read(simulator, cache)
    assert (simulator.identity.token_calls, statuses(simulator)) == (2, [401, 401])
    with pytest.raises(UnauthorizedError):
        read(simulator, cache)

    assert (simulator.identity.token_calls, statuses(simulator)) == (3, [401] * 4)


def test_eight_threads_refused_for_ever(simulator: Simulator) -> None:
    """However many readers a run has, it logs in twice at most."""
    simulator.faults.add(effects.status(401), times=None)
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        errors = together(8, lambda: page(client))

    assert all(isinstance(error, UnauthorizedError) for error in errors)
    assert simulator.identity.token_calls == 2


def test_a_wrong_password_is_tried_once(simulator: Simulator) -> None:
    """A refused login is not repeated: not by other readers, not by the next runs, until half an hour is over."""
    clock = Clock()
    cache = TokenCache(clock)
    wrong = reader(simulator, password="wrong")

    def attempt() -> object:
        run = Run()
        with run.client(simulator, run.token(simulator, cache, wrong)) as client:
            return together(4, lambda: page(client))

    first = attempt()
    clock.now = REST - 1
    second = attempt()
    assert simulator.identity.token_calls == 1
    clock.now = REST
    third = attempt()

    assert simulator.identity.token_calls == 2
    assert statuses(simulator) == []
    for errors, word in ((first, "refuses the login"), (second, "refused this login 30 min"), (third, "refuses the")):
        assert isinstance(errors, list)
        assert all(isinstance(error, UnauthorizedError) and word in str(error) for error in errors)


def test_a_password_changed_in_the_middle_of_a_run(simulator: Simulator) -> None:
    """The token dies, the new login is refused, and that is what the run ends with."""
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        page(client)
        simulator.identity.revoke()
        simulator.identity.login = None
        with pytest.raises(UnauthorizedError, match="refuses the login; check user name, password"):
            page(client)
        with pytest.raises(UnauthorizedError):
            page(client)

    assert simulator.identity.token_calls == 2


def test_a_throttled_login_waits(simulator: Simulator) -> None:
    """The identity service's limit is kept like any other: one wait for all readers, then one login."""
    simulator.faults.add(effects.throttled(5, "1 second", who="ip"), path=TOKENS)
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        pages = together(4, lambda: page(client))

    assert all(isinstance(content, bytes) for content in pages)
    assert simulator.identity.token_calls == 2
    assert run.stats.retries == 1
    assert run.stats.throttled_seconds == 1.0


def test_a_dead_identity_service_uses_up_the_retries(simulator: Simulator) -> None:
    """Faults of the identity service are tried again within the run's budget, and by no other reader afterwards."""
    simulator.faults.add(effects.status(503), times=None, path=TOKENS)
    run = Run(max_retries=1)
    with run.client(simulator, run.token(simulator)) as client:
        errors = together(4, lambda: page(client))

    assert all(isinstance(error, ServerFaultError) for error in errors)
    assert simulator.identity.token_calls == 2


def test_users_do_not_share_tokens(simulator: Simulator) -> None:
    """Another password or scope is another account in the cache."""
    cache = TokenCache()
    users = [reader(simulator), reader(simulator, project=LOGIN.project)]
    tokens = {Run().token(simulator, cache, user).headers("GET", simulator.url)["X-Auth-Token"] for user in users}

    assert len(tokens) == 2
    with pytest.raises(UnauthorizedError):
        Run().token(simulator, cache, reader(simulator, password="x")).headers("GET", simulator.url)
