"""The simulated cloud as a whole: a world behind a real HTTP server, in a thread of its own."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sync.simulator.apis import BEHAVIOURS
from sync.simulator.control import Control
from sync.simulator.faults import Faults
from sync.simulator.identity import Identity
from sync.simulator.journal import Journal
from sync.simulator.keystone import Login
from sync.simulator.listing import Listing
from sync.simulator.server import Server
from sync.simulator.service import Service
from sync.simulator.signing import Keys
from sync.simulator.viewer import Viewer
from sync.simulator.world import World


class Simulator:
    """A cloud to try against. It answers from construction on; use it in a ``with`` statement or ``close`` it.

    Args:
        world: its images, which say which API it is; None for a new world of the usual size.
        host: address to listen on.
        port: 0 for any free one.
        token: a token that never expires; None for a random one, which ``token`` returns.
        login: the user who may ask for tokens at ``/v3/auth/tokens``; None for nobody.
        keys: the access key whose signatures are accepted; None for none.
        token_lifetime: seconds until a token given by password expires, by the real clock.
        skew: seconds by which the server's clock is ahead of the real one.
        page_cap: most images in an answer, whatever ``limit`` says; None for the API's own 500.
        unstable_ties: images with the same sort key come in a new order in every answer.
        latency: seconds by which every answer about images is delayed.
        control: take commands under ``/_simulator/`` from this machine.
        faults: decides what goes wrong; None for what ``faults.lose`` and ``faults.fail`` ask for.

        viewer: the project of the credentials, and their roles in it; None for the usual ones.
        lost_marker: what becomes of a page after an image that is gone: refuse, restart (at the first page) or continue
            (where it was); None for the API's own way.
        enterprise_project: refuse requests that name no enterprise project.

    Raises:
        UsageError: the address cannot be listened on, or the API has no such option.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        login: Login | None = None,
        keys: Keys | None = None,
        token_lifetime: float = 86_400,
        skew: float = 0,
        page_cap: int | None = None,
        unstable_ties: bool = False,
        latency: float = 0.0,
        control: bool = False,
        faults: Faults | None = None,
        viewer: Viewer | None = None,
        lost_marker: str | None = None,
        enterprise_project: bool = False,
    ) -> None:
        self.world = world or World()
        self.faults = faults or Faults()
        api = self.world.api
        self.behaviour = BEHAVIOURS[api.name](lost_marker=lost_marker, enterprise_project=enterprise_project)
        self.identity = Identity(
            self.world.journal,
            api=api,
            token=token,
            login=login,
            keys=keys,
            viewer=viewer,
            lifetime=token_lifetime,
            skew=skew,
        )
        self.listing = Listing(self.world, self.behaviour, page_cap=page_cap, unstable_ties=unstable_ties)
        commands = Control(self.world, self.faults, self.identity, self.listing) if control else None
        service = Service(
            self.world, self.behaviour, self.listing, self.identity, self.faults, control=commands, latency=latency
        )
        self._server = Server(
            host,
            port,
            service.respond,
            self.identity.now,
            request_id=self.behaviour.request_id,
            request_id_header=self.behaviour.request_id_header,
        )

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:8080``."""
        return self._server.url

    @property
    def token(self) -> str:
        """The token that never expires."""
        return self.identity.token

    @property
    def journal(self) -> Journal:
        """All requests and changes of the world, in order."""
        return self.world.journal

    def close(self) -> None:
        """End every connection, also those that hang, and free the port."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
