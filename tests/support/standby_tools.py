"""A server and its hot standby."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cli_tools import ask, until
from servers import Server, newest, running


class Pair:
    """A primary, and a standby that streams from it."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self.primary, self.standby = primary, standby

    def on_standby(self, url: str) -> str:
        """The URL of the same database on the standby, once that has all that the primary has."""
        at = ask(url, "SELECT pg_current_wal_lsn()")
        copy = self.standby.url(url.rpartition("/")[2])
        until(lambda: ask(self.standby.url(), "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", at))
        return copy


@contextmanager
def primary_and_standby() -> Iterator[Pair]:
    """Start both, and remove both at the end."""
    standby = Server(newest())
    with running(Server(newest())) as primary:
        try:
            primary.run("pg_basebackup", "-D", str(standby.data), "-R", "-d", primary.url(), "-c", "fast")
            standby.resume()
            yield Pair(primary, standby)
            standby.stop()
        finally:
            standby.remove()
