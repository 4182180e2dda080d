"""``image-sync demo``: the real job, against a simulated cloud and the job's own PostgreSQL."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import click

from sync import logs, settings, wiring
from sync.cli import report
from sync.cli.output import show
from sync.cli.run import COLUMNS
from sync.domain.outcome import Outcome
from sync.embedded import default_folder, wait_until_stopped
from sync.errors import UsageError
from sync.runner import SourceRunner
from sync.signals import Stop
from sync.simulator import Simulator, World
from sync.store.connection import Target
from sync.store.queries.inventory import inventory
from sync.store.queries.reports import ReportQueries

IMAGES = 2_500
HIDDEN = 600
SOURCE = "demo"
_DIFF = ("name", "change", "field", "old", "new")
_DIFF_ROWS = 12
_HISTORY = ("valid_from", "valid_to", "valid_from_run", "change", "changes")
_SQL = "SELECT os_version, count(*) FROM inventory.live_images GROUP BY 1 ORDER BY 2 DESC LIMIT 10"


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the demo's database in this empty folder.")
@click.option("--seed", default=1, help="The same seed gives the same images.")
def demo(folder: Path | None, seed: int) -> None:
    """Try the job with a simulated cloud and a real PostgreSQL.

    Shows a first load, changes, deletions, a cloud that hides images by mistake, images that return, and a report.
    """
    logs.configure("error")  # what a run withholds is part of the story below
    place = _empty_folder(folder)
    environ = {"IMAGE_SYNC_DATA_FOLDER": str(place), "IMAGE_SYNC_SOURCE": SOURCE, "PATH": os.environ.get("PATH", "")}
    with Simulator(World(seed, IMAGES)) as cloud:
        environ |= {"IMAGE_SYNC_ENDPOINT": cloud.url, "IMAGE_SYNC_TOKEN": cloud.token, "IMAGE_SYNC_GRACE": "0"}
        loaded = wiring.load(environ)
        with wiring.database(loaded, environ) as target:
            click.echo(
                f"A simulated cloud with {IMAGES} images is at {cloud.url}, a PostgreSQL of our own in {place}.\n"
            )
            outcomes = _live(cloud, loaded.sources[0], target)
            click.echo(
                f"Five runs, each made by `image-sync run`; during the third the cloud hid {HIDDEN} images by mistake:"
            )
            show([outcome.as_json() for outcome in outcomes], "table", COLUMNS)
            first, last = outcomes[0].run or 0, outcomes[-1].run or 0
            _show_changes(target, first, last)
            _write_report(target, first, place / "report.html")
    program = "image-sync" if shutil.which("image-sync") else sys.argv[0]
    click.echo(f"""To look further:
  export IMAGE_SYNC_DATA_FOLDER={place}
  {program} status
  {program} diff {first} {last}
  {program} db psql -c "{_SQL}"
""")


def _live(cloud: Simulator, source: settings.Source, target: Target) -> list[Outcome]:
    """Four days in the life of a cloud, with a run after each, and one more while the cloud is wrong."""
    world, outcomes = cloud.world, [_run(source, target)]
    world.advance(timedelta(days=1))
    world.create(6)
    world.change(9)
    gone = world.delete(7)
    outcomes.append(_run(source, target))
    cloud.faults.lose(sorted(world.truth())[:HIDDEN])
    outcomes.append(_run(source, target))
    cloud.faults.clear()
    world.advance(timedelta(days=1))
    world.change(4)
    world.restore(len(gone) // 2)
    outcomes.append(_run(source, target))
    outcomes.append(_run(source, target))
    return outcomes


def _run(source: settings.Source, target: Target) -> Outcome:
    result = SourceRunner(target, Stop(), "demo").run(source)
    if result.outcome is None:
        raise result.error or UsageError("the run did not begin")
    return result.outcome


def _show_changes(target: Target, first: int, last: int) -> None:
    with inventory(target) as opened:
        changes = list(opened.diff(opened.moment(first), opened.moment(last), SOURCE))
        click.echo(
            f"What changed between runs {first} and {last} (`image-sync diff {first} {last}`), {_DIFF_ROWS} rows of it:"
        )
        show(changes[:_DIFF_ROWS], "table", _DIFF)
        later = opened.diff(opened.moment(first + 1), opened.moment(last), SOURCE)
        returned = next(row["id"] for row in later if row["change"] == "restored")
        click.echo(f"One image that was gone and came back (`image-sync history {returned}`):")
        show(opened.history(returned, SOURCE), "table", _HISTORY)


def _write_report(target: Target, first: int, file: Path) -> None:
    """Write what `image-sync report --from 1 --format html` makes."""
    with inventory(target) as opened:
        queries = ReportQueries(opened, opened.moment(first), opened.settled(SOURCE), None)
        made, content = report.make(settings.Settings(), opened, queries, "html")
    file.write_bytes(content)
    click.echo(f"A report of it all, to be opened in a browser: {file}\n  " + "\n  ".join(made.verdict()) + "\n")


def _empty_folder(folder: Path | None) -> Path:
    """The folder, or else the demo's own, cleared of the previous demo.

    Raises:
        UsageError: the folder is not empty.
    """
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty; give the demo a folder of its own")
        return folder
    own = default_folder(os.environ).with_name("image-sync-demo")
    if own.exists():
        wait_until_stopped(own)
        shutil.rmtree(own)
    return own
