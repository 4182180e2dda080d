"""Runs the job for one source, or for many side by side; runs can be stopped, and are timed, logged and notified."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sync import job, logs, wiring
from sync.cloud.access import token_expiry
from sync.domain.metrics import ProcessMetrics
from sync.domain.outcome import JSON_FIELDS, Outcome
from sync.domain.run import Progress, RequestStats
from sync.domain.status import Status, status_of
from sync.errors import ImageSyncError, InterruptedRunError, NoThreadError
from sync.settings import Source
from sync.signals import Stop
from sync.store.connection import Target
from sync.store.runs.database import Database
from sync.threads import Pool

_LOGGED = (
    "run",
    "status",
    "listed",
    "created",
    "updated",
    "restored",
    "deleted",
    "invisible",
    "held",
    "unchanged",
    "proof",
)
_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """How the run of one source ended: with an outcome, or with an error of ours."""

    source: str
    outcome: Outcome | None = None
    error: ImageSyncError | None = None

    @property
    def exit_code(self) -> int:
        """The exit code for this result."""
        return self.outcome.exit_code if self.outcome else self.error.exit_code if self.error else 0

    def as_json(self) -> dict[str, Any]:
        """One JSON object of ``image-sync run --format json``; a failed run has no counts."""
        if self.outcome:
            return self.outcome.as_json()
        values: dict[str, Any] = {"source": self.source}
        if self.error:
            values |= {"run": self.error.run, "status": status_of(self.error).value, "reason": str(self.error)}
        return dict.fromkeys(JSON_FIELDS) | values


class SourceRunner:
    """Runs the job, again and again, for any source; holds what the runs share.

    Args:
        target: the database.
        stop: ends the runs under way.
        trigger: what starts them: command, schedule, plan or demo.
        store: the class of the database.
        notify: called with the number of each run that ended.
        metrics: keeps what only this process knows of its runs.
        progress: takes the name of a source, and returns the callback for the number of images read so far.
    """

    def __init__(
        self,
        target: Target,
        stop: Stop,
        trigger: str,
        *,
        store: type[Database] = Database,
        notify: wiring.Notify = lambda _run: None,
        metrics: ProcessMetrics | None = None,
        progress: Callable[[str], Progress | None] = lambda _source: None,
    ) -> None:
        self._target, self._stop, self._trigger, self._store = target, stop, trigger, store
        self._notify, self._progress = notify, progress
        self._metrics = metrics or ProcessMetrics()

    def run_all(self, sources: Iterable[Source], jobs: int) -> list[Result]:
        """Run several sources, some of them at the same time; the results in the order of the sources."""
        try:
            pool = Pool(jobs, name="source")
        except NoThreadError as error:
            _log.warning("fewer threads", threads=0, wanted=jobs, reason=str(error))
            return list(map(self.run, sources))
        with pool:
            return list(pool.map(self.run, sources))

    def run(self, source: Source) -> Result:
        """Run one source; an error of any kind becomes its result, so that the other sources still run."""
        with logs.bind(source=source.name), self._metrics.under_way(source.name, source.deadline):
            try:
                outcome = self._sync(source)
            except Exception as error:  # noqa: BLE001 - of any library
                problem = job.to_ours(error)
                _log_failure(problem)
                self._send_notices(problem.run)
                return Result(source.name, error=problem)
            self._send_notices(outcome.run)
            _log_outcome(outcome)
            return Result(source.name, outcome)

    def _send_notices(self, run: int | None) -> None:
        try:
            self._notify(run)
        except Exception as error:  # noqa: BLE001 - the run has ended, and its result counts
            _log.error("notices not made", run=run, reason=logs.unexpected(error))

    def _sync(self, source: Source) -> Outcome:
        if self._stop.is_set():
            raise InterruptedRunError
        with self._store(self._target) as database, self._stop.on_set(database.cancel):
            database.prepare()
            with ExitStack() as stack:
                with self._recorded(source, database):
                    progress = self._progress(source.name)
                    parts = stack.enter_context(wiring.parts(source, database, self._stop, progress))
                stack.enter_context(self._timed(source, parts))
                return sync(parts, self._trigger)

    @contextmanager
    def _recorded(self, source: Source, database: Database) -> Iterator[None]:
        """Put a run that can't even begin on record as failed."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again
            problem = job.to_ours(error)
            run = database.start(wiring.source_of(source), self._trigger)
            database.fail(run, problem, RequestStats())
            problem.run = run.number
            raise problem from problem.__cause__

    @contextmanager
    def _timed(self, source: Source, parts: wiring.Parts) -> Iterator[None]:
        """Measure how long the run took, phase by phase, however it ends."""
        began = time.monotonic()
        try:
            yield
        finally:
            phases = parts.cloud.stats.phases | {"write": parts.store.wrote_seconds, "total": time.monotonic() - began}
            self._metrics.ran(source.name, phases, token_expiry(source))


def sync(parts: wiring.Parts, trigger: str) -> Outcome:
    """Run the job with these parts.

    Raises:
        ImageSyncError: see ``job.run_sync``.
    """
    return job.run_sync(parts.source, parts.cloud, parts.store, parts.spool, trigger)


def _log_outcome(outcome: Outcome) -> None:
    values = outcome.as_json()
    fields = {name: values[name] for name in _LOGGED}
    event = "plan made" if outcome.run is None else "run ended"
    if outcome.status is Status.WITHHELD:
        _log.warning(event, **fields, reason=f"deletions were withheld: {outcome.reason}", **_advice(outcome))
    else:
        _log.info(event, **fields)


def _advice(outcome: Outcome) -> dict[str, object]:
    if not outcome.held_by:
        return {}
    ways = ", ".join(f"`image-sync approve {run}`" for run in outcome.held_by)
    return {"held_by": outcome.held_by, "advice": f"`image-sync status --held` lists them; {ways} releases them"}


def _log_failure(error: ImageSyncError) -> None:
    notes = list(getattr(error, "__notes__", ()))
    more = {"notes": notes} if notes else {}
    _log.error("run failed", status=status_of(error).value, reason=str(error), **error.facts(), **more)
    _log.debug("traceback", traceback=traceback.format_exc())
