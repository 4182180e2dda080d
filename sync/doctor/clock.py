"""Three clocks: this machine's, the cloud's and the database's."""

from __future__ import annotations

from time import time

from sync.cloud.errors import http_date
from sync.doctor.cloud import SourceProbe
from sync.doctor.report import Lines, ok, unknown, warning, wrong
from sync.settings import Keys
from sync.store.queries.doctor import Inspection

_NOTABLE = 60.0  # seconds; an HTTP date has whole seconds only, and an answer takes time
_SIGNATURE = 15 * 60.0  # seconds for which the cloud accepts a signature


def cloud_clock(probe: SourceProbe, database_ahead: float | None) -> Lines[None]:
    """How far the cloud's clock is from the others.

    Args:
        probe: the source, after its checks.
        database_ahead: seconds that the database's clock is ahead of this machine's, or None if that is not known.
    """
    date = http_date(probe.date)
    if date is None:
        yield unknown("the cloud gave no date")
        return
    ahead = date.timestamp() - probe.seen_at
    text = f"the cloud's is {_offset(ahead)} this machine's"
    if database_ahead is not None:
        text += f", {_offset(ahead - database_ahead)} the database's"
    if isinstance(probe.settings.credentials, Keys) and abs(ahead) >= _SIGNATURE:
        yield wrong(text, "set the clock (NTP): signatures are valid for 15 minutes only")
    elif max(abs(ahead), abs(ahead - (database_ahead or 0.0))) >= _NOTABLE:
        yield warning(text, "set the clocks (NTP); otherwise times of the cloud and the inventory can't be compared")
    else:
        yield ok(text)


def database_clock(inspection: Inspection) -> Lines[float]:
    """The seconds that the database's clock, which dates the inventory, is ahead of this machine's."""
    before = time()
    ahead = inspection.now().timestamp() - (before + time()) / 2
    text = f"the database's is {_offset(ahead)} this machine's"
    yield warning(text, "set the clocks (NTP)") if abs(ahead) >= _NOTABLE else ok(text)
    return ahead


def _offset(ahead: float) -> str:
    if abs(ahead) < 1:
        return "within a second of"
    return f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
