"""``image-sync doctor`` on real databases, each with one fault that would end a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import effects
import psycopg
import pytest
import trustme
from cli_tools import dump, until
from doctor_tools import LONGEST, database_probe, levels, lines, look_into, not_ok, said
from servers import Server, oldest, running
from store_tools import Edge

from sync.doctor import database
from sync.doctor.inventory import inventory_checks
from sync.domain.run import Source
from sync.errors import DatabaseRefusedError, ForbiddenError
from sync.store.connection import Target, connect
from sync.store.queries.doctor import Inspection, State
from sync.store.schema.roles import NEEDED, OPTIONAL

ALL = {
    *("reachable", "pooler", "version", "encoding", "writable", "TLS", "clock", "connections", "time-outs", "space"),
    *("schema", "privileges", "event triggers", "numbers"),
}
RIGHTS = [(table, right) for table, rights, _ in NEEDED for right in rights if right != OPTIONAL]


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A synced source."""
    with Edge(server) as edge:
        edge.run()
        yield edge


def test_a_good_database(each_server: Server) -> None:
    """Every check is ok, on the newest and an older server, and nothing is written."""
    url = each_server.migrated()
    before = dump(url)
    lines = look_into(url)

    assert levels(lines) == dict.fromkeys(ALL, "ok")
    assert dump(url) == before


def test_inspection_is_read_only(server: Server) -> None:
    """Every query runs in a read-only transaction."""
    target = Target(server.migrated())
    with connect(target) as connection, pytest.raises(DatabaseRefusedError, match="read-only"):
        Inspection(connection, target).all_of(State, "DELETE FROM inventory.sources RETURNING *")


# --- connecting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:canary@127.0.0.1:1/x",
        "postgresql://owner:canary@nowhere.invalid/x",
        "postgresql://owner:canary@127.0.0.1:1/x?nonsense=1",
    ],
)
def test_an_unreachable_database(url: str) -> None:
    """An unreachable database is wrong, without its password; all other checks are skipped."""
    lines = look_into(url)

    assert levels(lines) == dict.fromkeys(ALL, "skipped") | {"reachable": "wrong"}
    assert "canary" not in str(lines)


def test_a_connection_lost_during_the_checks(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check after the connection is lost says so, and the report is still complete."""
    real = Inspection.about

    def about_and_end(inspection: Inspection) -> Any:
        about = real(inspection)
        edge.do(f"SELECT pg_terminate_backend({inspection.process()})")
        return about

    monkeypatch.setattr(Inspection, "about", about_and_end)
    seen = database_probe(edge.url)
    lines = look_into(seen)

    assert not_ok(lines) == dict.fromkeys(
        ("clock", "connections", "time-outs", "schema", "privileges", "event triggers"), "wrong"
    )
    assert seen.ahead is None
    assert seen.unseen.startswith("it can't be read: ")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding(each_server: Server, encoding: str) -> None:
    """D20: a wrong encoding is reported, and the other checks go on."""
    lines = look_into(each_server._create(f"ENCODING '{encoding}' TEMPLATE template0"))

    assert not_ok(lines) == {"encoding": "wrong", "schema": "warning", "privileges": "skipped"}
    assert encoding in said(lines, "encoding")
    assert "ENCODING 'UTF8'" in said(lines, "encoding")


def test_a_read_only_database(edge: Edge) -> None:
    """D11: a read-only database is reported."""
    edge.do(f"ALTER DATABASE {edge.value('SELECT current_database()')} SET default_transaction_read_only = on")

    assert not_ok(look_into(edge.url)) == {"writable": "wrong"}


@pytest.mark.parametrize("limited", ["role", "database"])
def test_too_few_connections(edge: Edge, limited: str) -> None:
    """D08: fewer free connections than concurrent runs are a warning that names the limit."""
    edge.do("CREATE ROLE crowded LOGIN SUPERUSER" if limited == "database" else "CREATE ROLE crowded LOGIN")
    edge.do("GRANT inventory_writer TO crowded")
    name = edge.value("SELECT current_database()")
    edge.do(
        "ALTER ROLE crowded CONNECTION LIMIT 2" if limited == "role" else f"ALTER DATABASE {name} CONNECTION LIMIT 3"
    )
    url = edge.url.replace("owner@", "crowded@")
    few, enough = look_into(url, at_once=4), look_into(url, at_once=2)
    edge.do("DROP ROLE crowded")

    assert not_ok(few) == {"connections": "warning"}
    assert f"2 are left by the limit of the {limited}, 4 are needed" in said(few, "connections")
    assert not_ok(enough) == {}


@pytest.mark.parametrize(
    ("name", "short", "long"),
    [
        ("idle_session_timeout", "600s", f"{LONGEST:g}s"),
    ],
)
def test_timeouts_of_the_database(edge: Edge, name: str, short: str, long: str) -> None:
    """A timeout that would end a run is a warning; the timeouts that a run sets itself do not matter."""
    database_name = edge.value("SELECT current_database()")
    for own in ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
        if own == "transaction_timeout" and edge.connection.info.server_version < 170000:
            continue
        edge.do(f"ALTER DATABASE {database_name} SET {own} = '1s'")
    reports = []
    for value in (short, long, "0"):
        edge.do(f"ALTER DATABASE {database_name} SET {name} = '{value}'")
        reports.append(look_into(edge.url))

    assert [not_ok(lines) for lines in reports] == [{"time-outs": "warning"}, {}, {}]
    assert f"SET {name} = 0" in said(reports[0], "time-outs")


def test_locked_tables_do_not_block_the_checks(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """If all tables are locked the checks still end, and say what could not be read."""
    monkeypatch.setattr("sync.store.queries.doctor._LOCK_TIMEOUT", 0.1)
    seen = database_probe(edge.url)
    with psycopg.connect(edge.url) as other:
        other.execute("LOCK TABLE inventory.sources, inventory.runs, inventory.held_deletions")
        lines = look_into(seen)

    assert not_ok(lines) == {}
    assert "lock timeout" in seen.unseen


# --- schema -----------------------------------------------------------------------------------------------------------


def test_no_inventory_yet(server: Server) -> None:
    """Without an inventory, the line says whether the next run makes the schema or what to do."""
    url = server.empty()
    seen = database_probe(url)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE humble_guest LOGIN")
        may, may_not = look_into(seen), look_into(url.replace("owner@", "humble_guest@"))
        owner.execute("DROP ROLE humble_guest")

    assert not_ok(may) == {"schema": "warning", "privileges": "skipped"}
    assert not_ok(may_not) == {"schema": "wrong", "privileges": "skipped"}
    assert "image-sync db upgrade" in said(may_not, "schema")
    assert seen.unseen == "there is no inventory yet"


def test_an_unreleased_schema(edge: Edge) -> None:
    """D16: an unreleased schema is wrong, with its revision and what to do."""
    edge.do("UPDATE inventory.alembic_version SET version_num = '0003'")
    lines = look_into(edge.url)

    assert not_ok(lines) == {"schema": "wrong"}
    assert "unreleased version of this program (revision 0003)" in said(lines, "schema")
    assert "image-sync db upgrade" in said(lines, "schema")


def test_a_newer_schema(edge: Edge) -> None:
    """D16: a schema of a newer program is wrong."""
    edge.do("UPDATE inventory.alembic_version SET version_num = '9999'")
    lines = look_into(edge.url)

    assert not_ok(lines) == {"schema": "wrong"}
    assert "made by a newer one" in said(lines, "schema")


# --- privileges -------------------------------------------------------------------------------------------------------


@pytest.fixture
def worker(edge: Edge) -> Iterator[Callable[[], str]]:
    """A function that creates a role with the documented privileges and returns its URL."""
    edge.do("CREATE ROLE worker LOGIN")

    def grant() -> str:
        edge.do("GRANT USAGE ON SCHEMA inventory TO worker")
        for table, right in RIGHTS:
            edge.do(f"GRANT {right} ON inventory.{table} TO worker")
        edge.do("GRANT MAINTAIN ON inventory.images TO worker")
        edge.do("GRANT SELECT ON ALL TABLES IN SCHEMA inventory TO inventory_reader")
        return edge.url.replace("owner@", "worker@")

    yield grant
    edge.do("DROP OWNED BY worker")
    edge.do("DROP ROLE worker")


def stir(edge: Edge) -> None:
    """Prepare changes that make a run need every privilege."""
    edge.cloud.faults.add(effects.status(404), id=min(edge.world.delete(16)), times=None)
    edge.world.change(24)
    edge.world.create(2)
    edge.world.put({"id": "odd", "brand_new": 1})
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')


def test_the_required_privileges_are_enough(edge: Edge, worker: Callable[[], str]) -> None:
    """With only the required privileges every kind of change is written, and only readers lack something."""
    url = worker()
    stir(edge)
    lines = look_into(url)
    outcome = edge.run_by(url)

    assert not_ok(lines) == {"privileges": "warning"}
    assert "runs work" in said(lines, "privileges")
    assert (outcome.plan.held, outcome.unconfirmed, outcome.plan.created, outcome.quarantined) == (15, 1, 3, 1)


@pytest.mark.parametrize(("table", "right"), RIGHTS, ids=[f"{right}-{table}" for table, right in RIGHTS])
def test_each_missing_privilege_is_reported_and_needed(
    edge: Edge, worker: Callable[[], str], table: str, right: str
) -> None:
    """D17: a missing privilege is named with its GRANT, and a run really fails without it."""
    url = worker()
    edge.do(f"REVOKE {right} ON inventory.{table} FROM worker")
    stir(edge)
    wrong = [line for line in look_into(url) if line.level.value == "wrong" and line.check == "privileges"]

    assert [line.found for line in wrong] == [f"no {right} on inventory.{table}"]
    assert f'GRANT {right} ON inventory.{table} TO "worker"' in wrong[0].advice
    with pytest.raises(DatabaseRefusedError):
        _whole_run(edge, url)


def _whole_run(edge: Edge, url: str) -> None:
    with edge.parts(url) as (store, _):
        store.prepare()
    edge.run_by(url)


def test_missing_usage_and_temp(edge: Edge, worker: Callable[[], str]) -> None:
    """D17: missing USAGE and TEMP privileges are reported together."""
    url, name = worker(), edge.value("SELECT current_database()")
    edge.do(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    edge.do("REVOKE USAGE ON SCHEMA inventory FROM worker")
    lines = look_into(url)

    assert not_ok(lines) == {"schema": "wrong", "privileges": "wrong"}
    assert "no TEMP on database" in said(lines, "privileges")
    assert "no USAGE on schema inventory" in said(lines, "privileges")
    stir(edge)
    edge.do("GRANT USAGE ON SCHEMA inventory TO worker")
    with pytest.raises(DatabaseRefusedError, match="temporary"):
        edge.run_by(url)


def test_maintain_is_optional(edge: Edge, worker: Callable[[], str]) -> None:
    """A missing MAINTAIN privilege, new in PostgreSQL 17, is only a warning."""
    url = worker()
    edge.do("GRANT inventory_reader TO worker")
    assert not_ok(look_into(url)) == {}

    edge.do("REVOKE MAINTAIN ON inventory.images FROM worker")
    assert not_ok(look_into(url)) == {"privileges": "warning"}


def test_the_created_roles_have_their_privileges(each_server: Server) -> None:
    """A member of the writer role lacks nothing, and for a reader each missing privilege is a line."""
    with Edge(each_server) as edge:
        for role in ("writer", "reader"):
            edge.do(f"CREATE ROLE some_{role} LOGIN IN ROLE inventory_{role}")
        writer, reader = (look_into(edge.url.replace("owner@", f"some_{role}@")) for role in ("writer", "reader"))
        edge.do("DROP ROLE some_writer, some_reader")

    assert not_ok(writer) == {}
    assert not_ok(reader) == {"privileges": "wrong"}
    lacking = [line for line in reader if line.level.value == "wrong"]
    assert len(lacking) == sum(right != "SELECT" for _, right in RIGHTS)


def test_a_missing_table(edge: Edge) -> None:
    """A table that was removed by hand is reported."""
    edge.do("ALTER TABLE inventory.findings RENAME TO other")
    lines = look_into(edge.url)

    assert not_ok(lines) == {"privileges": "wrong"}
    assert "there is no table inventory.findings" in said(lines, "privileges")


# --- state of a source ------------------------------------------------------------------------------------------------


def problems(edge: Edge, **changes: Any) -> dict[str, str]:
    """The checks of the source that are not ok."""
    return not_ok(source_lines(edge, **changes))


def source_lines(edge: Edge, **changes: Any) -> list[Any]:
    """The lines about the source."""
    name = edge.inventory.source.name
    seen = database_probe(edge.url, names=[name])
    look_into(seen)
    source = replace(Source(name, edge.cloud.url), **changes)
    return lines(inventory_checks, source, seen.states.get(name), seen.unseen)


def test_a_good_source(edge: Edge) -> None:
    """Filter, last run, proof and held deletions of a good source are ok."""
    assert levels(source_lines(edge)) == dict.fromkeys(("filter", "last run", "proof", "held deletions"), "ok")


def test_a_source_that_never_ran(server: Server) -> None:
    """All checks of a source that never ran are skipped."""
    with Edge(server) as edge:
        assert set(problems(edge).values()) == {"skipped"}


def test_a_source_whose_first_run_failed(server: Server) -> None:
    """As long as no run has committed, another filter is no change: the next run takes it."""
    with Edge(server) as edge:
        edge.cloud.faults.add(effects.status(403), times=None)
        edge.fails(ForbiddenError)

        assert problems(edge, filter="visibility=private").keys().isdisjoint({"filter"})


def test_a_changed_filter(edge: Edge) -> None:
    """A changed filter is wrong, with the command that accepts it."""
    assert problems(edge, filter="visibility=private") == {"filter": "wrong"}
    assert "image-sync sources accept-filter" in said(source_lines(edge, filter="visibility=private"), "filter")


def test_waiting_deletions(edge: Edge) -> None:
    """Deletions that wait for approval are counted, with the command that releases them."""
    edge.world.delete(15)
    edge.run()
    lines = source_lines(edge)

    assert not_ok(lines) == {"held deletions": "warning"}
    assert "15 wait" in said(lines, "held deletions")
    assert f"image-sync approve {edge.record['run']}" in said(lines, "held deletions")


def test_a_failed_run(edge: Edge) -> None:
    """A failed last run is a warning with its reason."""
    edge.do("UPDATE inventory.runs SET status = 'failed', effective_at = NULL, reason = 'some reason'")

    assert problems(edge) == {"last run": "warning"}
    assert "some reason" in said(source_lines(edge), "last run")


@pytest.mark.parametrize(
    ("hours", "runs", "level"), [(1.5, 1, "ok"), (30, 1, "warning"), (12, 6, "ok"), (19, 6, "warning"), (0.9, 0, "ok")]
)
def test_an_old_proof(edge: Edge, hours: float, runs: int, level: str) -> None:
    """A proof is old compared with the usual time between runs, or with a day if there are too few."""
    for _ in range(4 if runs == 6 else 0):
        edge.run()
    edge.do("UPDATE inventory.runs SET started_at = now() - interval '6 hours' * (100 - run)")
    edge.do("UPDATE inventory.sources SET proven_at = now() - make_interval(secs => %s)", hours * 3600)
    lines = source_lines(edge)

    assert levels(lines)["proof"] == level
    assert ("usually 6 hours apart" in said(lines, "proof")) == (runs == 6)


def test_a_list_that_was_never_proven(edge: Edge) -> None:
    """A source that was never proven is a warning from its first run on."""
    edge.do("UPDATE inventory.sources SET proven_at = NULL")

    assert problems(edge) == {"proof": "warning"}


# --- special servers --------------------------------------------------------------------------------------------------


def test_tls_of_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verified connection is ok; an unverified or plain one to another machine is a warning."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with running(Server(oldest())) as server:
        url = server.migrated()
        enable_tls(server, authority.issue_cert("127.0.0.1"))
        verified = look_into(f"{url}?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem")
        near = look_into(f"{url}?sslmode=disable")
        monkeypatch.setattr(database, "_is_here", lambda *_: False)  # as if it were another machine
        unsure, bare = look_into(f"{url}?sslmode=require"), look_into(f"{url}?sslmode=disable")

    assert (not_ok(verified), not_ok(near)) == ({}, {})
    assert "TLSv1.3, sslmode=verify-full" in said(verified, "TLS")
    assert not_ok(unsure) == not_ok(bare) == {"TLS": "warning"}
    assert "takes any certificate" in said(unsure, "TLS")
    assert "can be read on the way" in said(bare, "TLS")


def speaks_tls(server: Server) -> bool:
    """Whether a new connection is encrypted."""
    with psycopg.connect(f"{server.url()}?sslmode=prefer") as connection:
        return connection.pgconn.ssl_in_use


def enable_tls(server: Server, certificate: trustme.LeafCert) -> None:
    """Make a server offer TLS with this certificate."""
    parts = {"server.crt": certificate.cert_chain_pems, "server.key": [certificate.private_key_pem]}
    for name, blobs in parts.items():
        (server.data / name).write_bytes(b"".join(blob.bytes() for blob in blobs))
        (server.data / name).chmod(0o600)
        server._account.own(server.data / name)
    with psycopg.connect(server.url(), autocommit=True) as owner:
        try:
            owner.execute("ALTER SYSTEM SET ssl = on")
        except psycopg.errors.InvalidParameterValue:
            pytest.skip("the older PostgreSQL at hand was built without TLS")
        owner.execute("SELECT pg_reload_conf()")
    until(lambda: speaks_tls(server))


@pytest.mark.parametrize(
    ("host", "address"),
    [("/run/postgresql", ""), ("", ""), ("localhost", ""), ("localhost", "::1"), ("db.example.org", "127.0.0.1")],
)
def test_hosts_that_are_this_machine(host: str, address: str) -> None:
    """A host is this machine by its address, or by its name if there is no address."""
    assert database._is_here(host, address)


@pytest.mark.parametrize(
    ("host", "address"), [("db.example.org", "192.0.2.7"), ("db.example.org", ""), ("192.0.2.7", "")]
)
def test_hosts_that_are_other_machines(host: str, address: str) -> None:
    """A host that is not known to be this machine is another one."""
    assert not database._is_here(host, address)
