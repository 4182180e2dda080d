"""What the role of the job may do, privilege by privilege: a missing one would end a run in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.doctor.result import Findings, Result, check, ok, unknown, warning, wrong
from sync.store.queries.doctor import About, Inspection, Right
from sync.store.schema.roles import OPTIONAL, READER, WRITER


def privilege_checks(inspection: Inspection, about: About, *, whole: bool = True) -> Iterator[Result]:
    """A line for each missing privilege, or one that says that none is.

    Args:
        inspection: asks.
        about: the database and the role.
        whole: whether all tables should be there; a schema of another revision has others.
    """
    yield from _privileges(inspection, about, whole=whole)


@check("privileges")
def _privileges(inspection: Inspection, about: About, *, whole: bool) -> Findings[None]:
    rights = [right for right in inspection.rights_of_a_run(about.major) if whole or right.there]
    if not any(right.there for right in rights):
        yield unknown("there is no inventory yet") if about.may_stage else _no_staging(about)
        return
    lacking = [*_of_schema(about), *_of_tables(rights, about), *_of_readers(inspection.rights_of_readers(), about)]
    yield from lacking
    if not any(one for one in lacking if one.level.value == "wrong"):
        needed = sum(right.privilege != OPTIONAL for right in rights)
        yield ok(f"the role {about.role} has all {needed} on tables, USAGE and TEMP, which a run needs")


def _of_schema(about: About) -> Iterator[Result]:
    if not about.may_enter:
        yield wrong("no USAGE on schema inventory", _grant(about, "USAGE", "SCHEMA inventory"))
    if not about.may_stage:
        yield _no_staging(about)


def _no_staging(about: About) -> Result:
    advice = _grant(about, "TEMPORARY", f'DATABASE "{about.database}"', member="")
    return wrong(f"no TEMP on database {about.database}, and changes are staged in a temporary table", advice)


def _of_tables(rights: Sequence[Right], about: About) -> Iterator[Result]:
    for right in rights:
        if not right.there:
            yield wrong(f"there is no table inventory.{right.name}", "someone took it away: restore it from a backup")
        elif not right.granted and right.privilege == OPTIONAL:
            yield warning(
                f"no {OPTIONAL} on inventory.{right.name}, so statistics after a first load come late",
                _grant(about, right.privilege, f"inventory.{right.name}"),
            )
        elif not right.granted:
            yield wrong(
                f"no {right.privilege} on inventory.{right.name}",
                _grant(about, right.privilege, f"inventory.{right.name}"),
            )


def _of_readers(rights: Sequence[Right], about: About) -> Iterator[Result]:
    closed = [f"inventory.{right.name}" for right in rights if right.there and not right.granted]
    if closed:
        yield warning(
            f"no SELECT on {', '.join(closed)}: runs work, but `status`, `history` and others do not",
            _grant(about, "SELECT", ", ".join(closed), member=READER),
        )


def _grant(about: About, privilege: str, on: str, member: str = WRITER) -> str:
    other = f", or GRANT {member} to it" if member else ""
    return f'GRANT {privilege} ON {on} TO "{about.role}"{other}'
