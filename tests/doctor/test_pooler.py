"""``image-sync doctor`` behind PgBouncer: it names a pooler in between and its mode, as far as that can be known."""

from __future__ import annotations

import psycopg
import pytest
from doctor_tools import database_probe, levels, look_into, not_ok, said
from poolers import pooling
from servers import Server


def test_no_pooler(each_server: Server) -> None:
    """A server gives the number of its process, so none is in between."""
    assert said(look_into(each_server.migrated()), "pooler") == "none in between; "


@pytest.mark.parametrize("in_turn", [0, 1])
@pytest.mark.parametrize("size", [1, 3])
def test_transaction_mode(server: Server, in_turn: int, size: int) -> None:
    """Two connections share a process, or one has several: everything is ok, and the mode is named."""
    direct = server.migrated()
    with pooling(server, default_pool_size=size, server_round_robin=in_turn) as pooler:
        lines = look_into(pooler.fill(direct))

    assert not_ok(lines) == {}
    assert "such as PgBouncer), in transaction mode" in said(lines, "pooler")


def test_session_mode(server: Server) -> None:
    """Each connection keeps its process: everything is ok, and the report says so."""
    direct = server.migrated()
    with pooling(server, pool_mode="session") as pooler:
        lines = look_into(pooler.url(direct))

    assert not_ok(lines) == {}
    assert "as in session mode" in said(lines, "pooler")


def test_a_pool_of_one_in_session_mode(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may need a second connection, so a pool that has none to give is a warning; the other checks go on."""
    monkeypatch.setattr("sync.store.queries.doctor._STATEMENT_TIMEOUT", 0.5)
    direct = server.migrated()
    with pooling(server, pool_mode="session", default_pool_size=1) as pooler:
        lines = look_into(pooler.url(direct))

    assert not_ok(lines) == {"pooler": "warning"}
    assert "a second connection can't be used beside the first" in said(lines, "pooler")
    assert "default_pool_size" in said(lines, "pooler")


def test_statement_mode(server: Server) -> None:
    """Statement mode is wrong, by name and with what to do; what needs a transaction is skipped."""
    direct = server.migrated()
    with pooling(server, pool_mode="statement") as pooler:
        seen = database_probe(pooler.url(direct))
        lines = look_into(seen)

    checked = levels(lines)
    assert (checked.pop("reachable"), checked.pop("pooler")) == ("ok", "wrong")
    assert set(checked.values()) == {"skipped"}
    assert seen.unseen == "the database can't be asked"
    assert f"the pooler at {pooler.address} is in statement mode" in said(lines, "pooler")
    assert "set pool_mode = transaction" in said(lines, "pooler")


def test_a_paused_pooler(server: Server) -> None:
    """A pooler that gives no connection to the server is wrong, and the line says what to do."""
    direct = server.migrated()
    with pooling(server, query_wait_timeout=1) as pooler, psycopg.connect(pooler.url(direct)):
        pooler.console("PAUSE")
        lines = look_into(pooler.url(direct))

    assert levels(lines)["pooler"] == "wrong"
    assert "RESUME the pooler" in said(lines, "pooler")
