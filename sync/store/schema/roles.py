"""The two roles of the database: one that reads the inventory, one that syncs it. Whoever migrates owns it.

Roles belong to the whole server, so they are made where that is allowed, and left as they are where they exist. Neither
can log in by itself: an administrator grants them to users, or gives them LOGIN and a password.
"""

from __future__ import annotations

READER, WRITER = "inventory_reader", "inventory_writer"

# Another migration, of another database of the server, may make the same role at the same time.
_CREATE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END
$$
"""
# These settings apply to logins as the role itself; PostgreSQL does not pass them on to its members.
_LIMIT = f"""
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}' AND rolconfig IS NULL) THEN
        ALTER ROLE {READER} SET statement_timeout = '60s';
        ALTER ROLE {READER} SET default_transaction_read_only = on;
    END IF;
EXCEPTION
    WHEN insufficient_privilege OR internal_error THEN NULL;
END
$$
"""
_GRANT = """
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_roles r, pg_class c
        WHERE r.rolname = '{role}' AND c.relnamespace = 'inventory'::regnamespace AND c.relkind IN ('r', 'v')
          AND NOT has_table_privilege(r.oid, c.oid, CASE WHEN c.relname = 'images' THEN '{most}' ELSE 'SELECT' END)
    ) THEN
        GRANT USAGE ON SCHEMA inventory TO {role};
        {grants}
    END IF;
END
$$
"""
_READ = f"GRANT SELECT ON ALL TABLES IN SCHEMA inventory TO {READER};"
# No DELETE, TRUNCATE or DDL: the job can lose nothing of the history.
_WRITE = f"""
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA inventory TO {WRITER};
        REVOKE INSERT, UPDATE ON inventory.alembic_version, inventory.prunings FROM {WRITER};
        REVOKE UPDATE ON inventory.image_versions FROM {WRITER};
        GRANT SELECT ON ALL SEQUENCES IN SCHEMA inventory TO {WRITER}; -- so that `doctor` sees one that is behind
        IF current_setting('server_version_num')::int >= 170000 THEN -- for statistics after a first load
            EXECUTE 'GRANT MAINTAIN ON inventory.images TO {WRITER}';
        END IF;
"""

# The privileges that a run needs, by table, and the version of PostgreSQL that first has them.
NEEDED = (
    ("alembic_version", ("SELECT",), 0),
    ("sources", ("SELECT", "INSERT", "UPDATE"), 0),
    ("runs", ("SELECT", "INSERT", "UPDATE"), 0),
    ("images", ("SELECT", "INSERT", "UPDATE"), 0),
    ("images", ("MAINTAIN",), 17),
    ("image_versions", ("SELECT", "INSERT"), 0),
    ("held_deletions", ("SELECT", "INSERT", "UPDATE"), 0),
    ("missing_images", ("SELECT", "INSERT", "UPDATE"), 0),
    ("run_pages", ("INSERT",), 0),
    ("quarantine", ("SELECT", "INSERT"), 0),
    ("findings", ("INSERT",), 0),
    ("report_bookmarks", ("SELECT",), 0),
)
OPTIONAL = "MAINTAIN"  # a run works without it; the planner just gets its statistics later
READ_BY_VIEWERS = ("freshness", "live_images", "image_history", "image_changes", "findings", "quarantine", "run_pages")

STATEMENTS = (
    _CREATE.format(role=READER),
    _CREATE.format(role=WRITER),
    _LIMIT,
    _GRANT.format(role=READER, most="SELECT", grants=_READ),
    _GRANT.format(role=WRITER, most="INSERT", grants=_WRITE.strip()),
)
MISSING = f"""
SELECT role FROM unnest(ARRAY['{READER}', '{WRITER}']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) ORDER BY role
"""  # noqa: S608 - two constants
