"""Write docs/checks.md from the checks themselves; with --check, only say whether it is stale (exit 1)."""

import sys
from collections.abc import Iterator
from pathlib import Path

from sync.checks.run import checks, systems
from sync.domain.checks import Check

PAGE = Path(__file__).with_name("checks.md")

HEAD = """\
# Checks

<!-- Written by docs/make_checks_page.py from sync/checks/sql; change them, not this page. -->

`image-sync check` looks for images that need attention and exits with 0; with `--fail-on high` it exits with 4 if a
finding is at least that severe. `--format sarif` and `--format junit` are for pipelines, `--list` shows the checks.

The setting `checks_disabled` turns checks off; `check_thresholds` changes their numbers, as in
`old.days=365,flapping.returns=3`.
"""

OWN = """\
## Your own checks
Put `.sql` files into a folder and name the folder in `check_folder`; a file with the name of a check above replaces it.
The header describes the check; the rest is one SELECT that returns `source`, `id`, `name` and `detail` of each image:

```sql
-- title: Image of someone who has left
-- severity: medium
-- why: Nobody looks after it.
-- do: Find it a new owner, or delete it.
-- threshold: days = 30 -- how long they have been gone
SELECT source, id, name, 'owner ' || owner AS detail
FROM live_images
WHERE owner = 'a1b2' AND updated_at < CAST(:moment AS timestamptz) - CAST(:days AS int) * interval '1 day'
```

`:moment` is now for `image-sync check`, and the end of the period for `image-sync report`. `live_images`, without a
schema, has the images that existed at that moment, with the columns of `inventory.images_as_of`. The SQL runs in a
transaction that cannot write, in UTC; names without a schema are looked for in `pg_catalog`, then on the `search_path`
of the database. Thresholds are whole numbers, written `:name`; `:systems` is the list of operating systems below, as
JSON. Any other colon is SQL, as in casts, texts and regular expressions.
"""


def main() -> None:
    """Write or check."""
    made = "\n".join([HEAD, *map(section, checks()), OWN, *dates()])
    if "--check" not in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != made:
        sys.exit("checks.md is stale: run docs/make_checks_page.py")


def section(check: Check) -> str:
    """One check."""
    numbers = "".join(
        f"\n`{check.name}.{name}` (default {number}): {check.meanings[name]}.\n"
        for name, number in check.thresholds.items()
    )
    return (
        f"## {check.name}\n{check.title}. Severity: {check.severity}.\n\nWhy: {check.why}\n\n"
        f"What to do: {check.action}\n"
        f"{numbers}\n```sql\n{check.sql}\n```\n"
    )


def dates() -> Iterator[str]:
    """The end of each system."""
    yield "## End of life of operating systems"
    yield "The last day of security updates in the maker's usual support. A name also matches longer ones, in any case:"
    yield "`CentOS 7` matches `CentOS 7.9 64bit`, and `centos 7.9`, which Glance has as `os_distro` and `os_version`.\n"
    yield "| system | until | source |\n|---|---|---|"
    for row in systems():
        yield f"| {row['system']} | {row['until']} | {row['source']} |"
    yield ""


if __name__ == "__main__":
    main()
