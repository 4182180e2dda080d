"""Three clocks: this machine's, the cloud's and the database's."""

from __future__ import annotations

from collections.abc import Iterator

from sync.cloud.errors import http_date
from sync.doctor.cloud import SourceProbe
from sync.doctor.result import Findings, Result, check, ok, skip, warning, wrong
from sync.settings import Keys

_NOTABLE = 60.0  # seconds; an HTTP date has whole seconds only, and an answer takes its time
_SIGNATURE = 15 * 60.0  # seconds for which the cloud takes a signature


def clock_checks(probe: SourceProbe, database_ahead: float | None) -> Iterator[Result]:
    """How far the cloud's clock is from the others.

    Args:
        probe: the source, after it was asked.
        database_ahead: seconds that the database's clock is ahead of this machine's, or None if that is not known.
    """
    moment = http_date(probe.date)
    if moment is None:
        yield from skip("the cloud gave no date", "clock")
        return
    yield from _cloud(probe, moment.timestamp() - probe.seen_at, database_ahead)


@check("clock")
def _cloud(probe: SourceProbe, ahead: float, database_ahead: float | None) -> Findings[None]:
    found = f"the cloud's is {_words(ahead)} this machine's"
    if database_ahead is not None:
        found += f", {_words(ahead - database_ahead)} the database's"
    if isinstance(probe.given.credentials, Keys) and abs(ahead) >= _SIGNATURE:
        yield wrong(found, "set the clock (NTP): signatures are good for 15 minutes only")
    elif max(abs(ahead), abs(ahead - (database_ahead or 0.0))) >= _NOTABLE:
        yield warning(found, "set the clocks (NTP); times of the cloud and of the inventory can't be compared else")
    else:
        yield ok(found)


@check("clock")
def database_clock(ahead: float) -> Findings[None]:
    """How far the database's clock is from this machine's; what the inventory says of time is the database's."""
    found = f"the database's is {_words(ahead)} this machine's"
    yield warning(found, "set the clocks (NTP)") if abs(ahead) >= _NOTABLE else ok(found)


def _words(ahead: float) -> str:
    if abs(ahead) < 1:
        return "within a second of"
    return f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
