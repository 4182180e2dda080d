"""Tools for tests of credentials: a client of the simulated cloud, and clocks that are set by hand."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Thread
from typing import Self

from settings_tools import user_login

from sync.cloud.auth.credential import Credential
from sync.cloud.auth.iam import IamToken
from sync.cloud.auth.identity import LoginRequest
from sync.cloud.auth.token import TokenCache
from sync.cloud.client import Client
from sync.cloud.retry import RetryPolicy
from sync.domain.apis import IEC
from sync.errors import ImageSyncError
from sync.simulator import Login, Simulator

LOGIN = Login("reader", "canary-p4sswörd", domain="acme", project="cn-north-4")
SECONDS = 60.0  # deadline of a test's run


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time."""
        return self.now


class Run:
    """One run: its retry policy and its counters."""

    def __init__(self, seconds: float = SECONDS, max_retries: int = 20) -> None:
        self.policy = RetryPolicy(seconds, max_retries)
        self.stats = self.policy.stats

    def token(
        self, simulator: Simulator, cache: TokenCache | None = None, user: LoginRequest | None = None
    ) -> IamToken:
        """The credential of a user of the simulated cloud."""
        return IamToken(user or reader(simulator), cache or TokenCache(), self.policy, timeout=10)

    @contextmanager
    def client(self, simulator: Simulator | Recorder, credential: Credential) -> Iterator[Client]:
        """A client of the simulated cloud."""
        with Client(simulator.url, credential, self.policy, IEC, timeout=10) as client:
            yield client


def reader(simulator: Simulator, password: str = LOGIN.password, project: str | None = None) -> LoginRequest:
    """The user that the simulated cloud knows, optionally with another password or for a project."""
    return user_login(simulator.url, LOGIN.user, password, LOGIN.domain, project)


def page(client: Client, **query: str) -> bytes:
    """Request a page of images."""
    return client.get(IEC.path, query, lambda body: body.content)


def statuses(simulator: Simulator) -> list[object]:
    """The statuses of all answers about images so far, in order."""
    return [event.detail["status"] for event in simulator.journal.answers()]


class Recorder:
    """A real HTTP server that gives the same answer to every request and keeps the requests.

    Attributes:
        asked: method, target, headers by name in lower case, and body of each request.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                named = {name.lower(): value for name, value in self.headers.items()}
                recorder.asked.append((self.command, self.path, named, self.rfile.read(length)))
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815 - the name http.server looks for

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def together(count: int, work: Callable[[], object]) -> list[object]:
    """Run the same work in several threads at the same moment; return each result or error."""
    ready = Barrier(count)

    def start(_: int) -> object:
        ready.wait()
        try:
            return work()
        except ImageSyncError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def all_text(error: BaseException) -> str:
    """All text that an error and its causes could show."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    shown = [*map(repr, chain), *map(str, chain), *(repr(vars(part)) for part in chain)]
    return "\n".join([*shown, *traceback.format_exception(error)])
