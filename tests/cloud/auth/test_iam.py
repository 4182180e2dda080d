"""Tokens that a run requests itself: one login for all requests, renewed in time, at most two logins per run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import breakage
import effects
import pytest
from credential_tools import LOGIN, SECONDS, Clock, Recorder, Run, page, reader, statuses, together
from fault_rules import FaultySimulator
from settings_tools import user_login

from sync.cloud.auth.token import REST, WINDOW, TokenCache
from sync.cloud.client import Client
from sync.errors import ServerFaultError, UnauthorizedError
from sync.simulator import TOKENS, Simulator, World

DAY = 86_400.0


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud of three images with one user."""
    with FaultySimulator(World(1, 3), login=LOGIN) as simulator:
        yield simulator


def read(simulator: Simulator, cache: TokenCache, pages: int = 1, *, seconds: float = SECONDS) -> None:
    """Read some pages in one run."""
    run = Run(seconds)
    with run.client(simulator, run.token(simulator, cache)) as client:
        for _ in range(pages):
            page(client)


@pytest.mark.parametrize("project", [None, LOGIN.project])
def test_one_login_serves_all_pages(simulator: Simulator, project: str | None) -> None:
    """One login with a password, for a domain or a project, gives the token that reads all pages."""
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
def test_the_login_request_is_keystone_v3(project: str | None, scope: object) -> None:
    """The login uses the password method of Keystone v3, uncompressed, without the catalog and without a token."""
    with Recorder(201, {"X-Subject-Token": "some-token"}, b'{"token": {}}') as iam:
        user = user_login(iam.url, "reader", "p4ss wörd", "acme", project)
        with FaultySimulator(World(1, 0)) as simulator:
            Run().token(simulator, user=user).headers("GET", simulator.url)
    method, target, headers, body = iam.asked[0]
    user_json = {"name": "reader", "password": "p4ss wörd", "domain": {"name": "acme"}}

    assert (method, target) == ("POST", "/v3/auth/tokens?nocatalog=true")
    assert headers["accept-encoding"] == "identity"
    assert "x-auth-token" not in headers
    assert json.loads(body)["auth"] == {
        "identity": {"methods": ["password"], "password": {"user": user_json}},
        "scope": scope,
    }


def test_runs_of_one_process_share_a_token(simulator: Simulator) -> None:
    """Ten runs of one process, as in a schedule, log in once."""
    cache = TokenCache()
    for _ in range(10):
        read(simulator, cache)

    assert simulator.identity.token_calls == 1


def test_eight_threads_log_in_once(simulator: Simulator) -> None:
    """Eight threads that start together share one login, even if it is slow."""
    simulator.faults.add(breakage.delay(0.3), path=TOKENS)
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        pages = together(8, lambda: page(client))

    assert all(isinstance(content, bytes) for content in pages)
    assert simulator.identity.token_calls == 1


def test_eight_threads_renew_a_token_once(simulator: Simulator) -> None:
    """Eight threads whose token is refused at the same time share one renewal, and each gets its page."""
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        page(client)
        simulator.identity.revoke()
        pages = together(8, lambda: page(client))

    assert all(isinstance(content, bytes) for content in pages)
    assert simulator.identity.token_calls == 2


def test_a_token_that_expires_between_pages_is_renewed_once(simulator: Simulator) -> None:
    """A page refused for an expired token is requested again with a new token, which the next pages use too."""
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        page(client)
        simulator.identity.skew += DAY + 1
        page(client)
        page(client)

    assert statuses(simulator) == [200, 401, 200, 200]
    assert simulator.identity.token_calls == 2


def test_a_token_is_renewed_before_it_expires(simulator: Simulator) -> None:
    """A token that would expire before the run's deadline is renewed first, so no request is refused."""
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


def test_an_early_renewal_that_fails_keeps_the_old_token(simulator: Simulator) -> None:
    """If an early renewal fails, it is not tried again, and the old token is used until it expires."""
    clock = Clock()
    cache = TokenCache(clock)
    read(simulator, cache, seconds=900)
    clock.now = DAY - 100
    simulator.faults.add(effects.status(503), times=None, path=TOKENS)
    read(simulator, cache, 3, seconds=900)

    assert simulator.identity.token_calls == 2
    assert set(statuses(simulator)) == {200}


def read_on(simulator: Simulator, client: Client, clock: Clock, step: int) -> None:
    """Read five pages, one per second of the cloud's clock and one per ``step`` seconds of ours."""
    for _ in range(5):
        page(client)
        simulator.identity.skew += 1
        clock.now += step


@pytest.mark.parametrize("step", [0, 1])
def test_short_lived_tokens_cause_no_endless_logins(step: int) -> None:
    """With tokens of 3 seconds a long run logs in twice and then fails with the reason, even if our clock stops."""
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


def test_a_short_lived_token_serves_short_runs() -> None:
    """A token that lives shorter than the deadline is used while it lives: one login for two short runs."""
    with FaultySimulator(World(1, 3), login=LOGIN, token_lifetime=30) as simulator:
        cache = TokenCache(Clock())
        read(simulator, cache, 3, seconds=900)
        read(simulator, cache, 3, seconds=900)

        assert simulator.identity.token_calls == 1


def test_a_run_that_is_always_refused_logs_in_twice(simulator: Simulator) -> None:
    """If every token is refused, a run logs in at most twice, and the next run only once."""
    simulator.faults.add(effects.status(401), times=None)
    cache = TokenCache()
    with pytest.raises(UnauthorizedError, match="the run logged in 2 times"):
        read(simulator, cache)
    assert (simulator.identity.token_calls, statuses(simulator)) == (2, [401, 401])
    with pytest.raises(UnauthorizedError):
        read(simulator, cache)

    assert (simulator.identity.token_calls, statuses(simulator)) == (3, [401] * 4)


def test_eight_threads_that_are_always_refused_log_in_twice(simulator: Simulator) -> None:
    """A run logs in at most twice, however many threads it has."""
    simulator.faults.add(effects.status(401), times=None)
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        errors = together(8, lambda: page(client))

    assert all(isinstance(error, UnauthorizedError) for error in errors)
    assert simulator.identity.token_calls == 2


def test_a_wrong_password_is_tried_once(simulator: Simulator) -> None:
    """A refused login is not repeated for half an hour, neither by other threads nor by the next runs."""
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
    for errors, message in (
        (first, "refuses the login"),
        (second, "refused this login 30 min"),
        (third, "refuses the"),
    ):
        assert isinstance(errors, list)
        assert all(isinstance(error, UnauthorizedError) and message in str(error) for error in errors)


def test_two_refused_passwords_of_one_user_are_not_followed_by_a_third_within_an_hour(simulator: Simulator) -> None:
    """A password whose predecessor was refused shortly before is tried again after an hour; a new one at once."""
    clock = Clock()
    cache = TokenCache(clock)

    def attempt(password: str) -> int:
        run = Run()
        token = run.token(simulator, cache, reader(simulator, password=password))
        with suppress(UnauthorizedError), run.client(simulator, token) as client:
            page(client)
        return simulator.identity.token_calls

    assert [attempt("old"), attempt("wrong, too")] == [1, 2]
    clock.now = WINDOW - 1
    assert [attempt("old"), attempt("wrong, too")] == [2, 2]
    clock.now = WINDOW
    assert attempt("wrong, too") == 3
    assert attempt(LOGIN.password) == 4


def test_a_password_changed_in_the_middle_of_a_run(simulator: Simulator) -> None:
    """If the password changes during a run, the run fails with the error of the new login."""
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
    """A throttled login makes all threads wait once and then log in once."""
    simulator.faults.add(effects.throttled(5, "1 second", who="ip"), path=TOKENS)
    run = Run()
    with run.client(simulator, run.token(simulator)) as client:
        pages = together(4, lambda: page(client))

    assert all(isinstance(content, bytes) for content in pages)
    assert simulator.identity.token_calls == 2
    assert run.stats.retries == 1
    assert run.stats.throttled_seconds == 1.0


def test_a_dead_identity_service_uses_up_the_retries(simulator: Simulator) -> None:
    """Faults of the identity service are retried within the run's budget and not again by other threads."""
    simulator.faults.add(effects.status(503), times=None, path=TOKENS)
    run = Run(max_retries=1)
    with run.client(simulator, run.token(simulator)) as client:
        errors = together(4, lambda: page(client))

    assert all(isinstance(error, ServerFaultError) for error in errors)
    assert simulator.identity.token_calls == 2


def test_users_do_not_share_tokens(simulator: Simulator) -> None:
    """Users that differ in password or project have their own tokens in the cache."""
    cache = TokenCache()
    users = [reader(simulator), reader(simulator, project=LOGIN.project)]
    tokens = {Run().token(simulator, cache, user).headers("GET", simulator.url)["X-Auth-Token"] for user in users}

    assert len(tokens) == 2
    with pytest.raises(UnauthorizedError):
        Run().token(simulator, cache, reader(simulator, password="x")).headers("GET", simulator.url)
