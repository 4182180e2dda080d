"""What administrators put in the way of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from store_tools import Edge

RAISES = "RAISE EXCEPTION 'no DDL on Fridays'"
LOGS = "INSERT INTO public.ddl_log VALUES (tg_tag)"
SLEEPS = "PERFORM pg_sleep(60)"


def add_event_trigger(
    connection: psycopg.Connection[tuple[object, ...]], body: str, event: str = "ddl_command_start"
) -> None:
    """Add an event trigger that does this at each DDL command, and one that does nothing."""
    connection.execute(
        f"""
        CREATE TABLE public.ddl_log (tag text);
        CREATE FUNCTION public.watch_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$;
        CREATE FUNCTION public.look_away() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
        CREATE EVENT TRIGGER unrelated ON ddl_command_start EXECUTE FUNCTION public.look_away();
        CREATE EVENT TRIGGER "audit of DDL" ON {event} EXECUTE FUNCTION public.watch_ddl()
        """.encode()
    )


@contextmanager
def errand(edge: Edge) -> Iterator[str]:
    """A role that syncs the inventory and owns nothing: the URL for it."""
    edge.do("CREATE ROLE errand LOGIN IN ROLE inventory_writer")
    yield edge.url.replace("owner@", "errand@")
    edge.do('DROP EVENT TRIGGER IF EXISTS unrelated, "audit of DDL", views')
    edge.do("DROP OWNED BY errand")
    edge.do("DROP ROLE errand")
