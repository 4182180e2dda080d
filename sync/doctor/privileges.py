"""The privileges of the job's role, one by one: a missing one would end a run halfway."""

from __future__ import annotations

from collections.abc import Iterator

from sync.doctor.report import Level, Line, Lines, ok, unknown, warning, wrong
from sync.store.queries.doctor import About, Inspection, Right
from sync.store.queries.obstacles import tables_with_row_security
from sync.store.schema.roles import OPTIONAL, READER, WRITER


def privilege_checks(inspection: Inspection, about: About, *, whole: bool = True) -> Lines[None]:
    """A line per missing privilege, or one that says that none is missing.

    Args:
        inspection: queries the database.
        about: the database and the role.
        whole: whether all tables should be there; a schema of another revision has others.
    """
    rights = [right for right in inspection.rights_of_a_run(about.major) if whole or right.there]
    if not any(right.there for right in rights):
        yield unknown("there is no inventory yet") if about.may_stage else _no_temp(about)
        return
    missing = [*_missing_on_schema(about), *_missing_on_tables(rights, about), *_hidden(inspection, about)]
    if unreadable := [f"inventory.{r.name}" for r in inspection.rights_of_readers() if r.there and not r.granted]:
        tables = ", ".join(unreadable)
        missing.append(
            warning(
                f"no SELECT on {tables}: runs work, but `status`, `history` and others do not",
                _grant(about, "SELECT", tables, member=READER),
            )
        )
    yield from missing
    if all(one.level is not Level.WRONG for one in missing):
        needed = sum(right.privilege != OPTIONAL for right in rights)
        yield ok(f"the role {about.role} has all {needed} on tables, USAGE and TEMP, which a run needs")


def _missing_on_schema(about: About) -> Iterator[Line]:
    if not about.may_enter:
        yield wrong("no USAGE on schema inventory", _grant(about, "USAGE", "SCHEMA inventory"))
    if not about.may_stage:
        yield _no_temp(about)


def _no_temp(about: About) -> Line:
    advice = _grant(about, "TEMPORARY", f'DATABASE "{about.database}"', member="")
    return wrong(f"no TEMP on database {about.database}, and changes are staged in a temporary table", advice)


def _hidden(inspection: Inspection, about: About) -> Iterator[Line]:
    for table in tables_with_row_security(inspection):
        yield wrong(
            f"row-level security of inventory.{table} applies to the role {about.role}; rows that it hides would "
            "look as if they were gone, so runs and commands refuse",
            f"as its owner, ALTER TABLE inventory.{table} DISABLE ROW LEVEL SECURITY; or as an administrator, "
            f'ALTER ROLE "{about.role}" BYPASSRLS',
        )


def _missing_on_tables(rights: list[Right], about: About) -> Iterator[Line]:
    for right in rights:
        text = f"no {right.privilege} on inventory.{right.name}"
        advice = _grant(about, right.privilege, f"inventory.{right.name}")
        if not right.there:
            yield wrong(f"there is no table inventory.{right.name}", "someone removed it: restore it from a backup")
        elif not right.granted and right.privilege == OPTIONAL:
            yield warning(f"{text}, so statistics after a first load come late", advice)
        elif not right.granted:
            yield wrong(text, advice)


def _grant(about: About, privilege: str, on: str, member: str = WRITER) -> str:
    return f'GRANT {privilege} ON {on} TO "{about.role}"' + (f", or GRANT {member} to it" if member else "")
