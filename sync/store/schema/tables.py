"""The tables of schema ``inventory``, for Alembic; those of images are in ``sync.store.schema.image_tables``.

Only the migrations make them; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE

from sync.domain.status import Status
from sync.store.schema import columns, image_tables
from sync.store.schema.columns import SCHEMA, metadata

__all__ = ["SCHEMA", "image_tables", "metadata"]

_STATUSES = ", ".join(f"'{status.value}'" for status in Status)

_STATUS_COMMENT = (
    "running; done; withheld: done, but without deletions; failed; interrupted: stopped from outside; superseded: "
    "another run was ahead; skipped: not started; abandoned: its process was killed"
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True, comment="Name of the source in the settings"),
    Column("api", Text, nullable=False, server_default="iec", comment="API that it is read by: iec, ims or glance"),
    Column("endpoint", Text, nullable=False, comment="Address of the API at the last run"),
    Column("filter", Text, nullable=False, comment="Filter of the inventory, as a query; empty is everything"),
    Column(
        "scope",
        Text,
        comment="Project and roles of its credentials, as a query; empty: no project; NULL: not known yet",
    ),
    Column("epoch", BigInteger, nullable=False, server_default=text("0"), comment="Committed runs so far: the fence"),
    columns.moment("effective_at", "When the last committed run took effect"),
    columns.moment("proven_at", "When the last run whose list was proven complete took effect"),
    columns.moment("seen_at", "When the last run took effect that accounted for every live image"),
    columns.moment("created_at", "When the source was first seen", nullable=False, now=True),
    columns.moment("pruned_before", "History before this moment was removed; NULL: none was"),
    comment="Cloud accounts and endpoints, each with one fixed filter",
)

runs = Table(
    "runs",
    metadata,
    Column("run", BigInteger, Identity(), nullable=False, comment="Number of the run"),
    columns.source(),
    Column("status", Text, nullable=False, comment=_STATUS_COMMENT),
    Column("reason", Text, nullable=False, server_default="", comment="Why it ended that way, in words"),
    Column("trigger", Text, nullable=False, comment="What started it: command, schedule or demo"),
    columns.moment("started_at", "When it began", nullable=False, now=True),
    columns.moment("deadline_at", "Moment by which it ends, whatever happens", nullable=False),
    columns.moment("finished_at", "When it ended"),
    columns.moment("effective_at", "The one moment at which its changes took effect; NULL: it wrote nothing"),
    Column("epoch", BigInteger, nullable=False, comment="Epoch of the source when the run began"),
    Column("proven", Boolean, nullable=False, server_default=text("false"), comment="Whether the list was proven"),
    Column("proof", Text, nullable=False, server_default="", comment="Why the list is or is not proven, in words"),
    Column("proven_by", Text, comment="How the list is proven: whole, cover or count; NULL: it is not"),
    Column("read_attempts", Integer, nullable=False, server_default=text("0"), comment="How often the list was read"),
    columns.count("pages", "Answers read, in all readings together"),
    columns.count("received", "Rows received in the last reading, duplicates included"),
    columns.count("listed", "Rows received in the last reading, duplicates left out"),
    Column("total", BigInteger, comment="Number of images, as the cloud last reported it"),
    columns.count("created", "Images seen for the first time"),
    columns.count("updated", "Live images with new content"),
    columns.count("restored", "Deleted or invisible images that came back"),
    columns.count("deleted", "Images marked deleted"),
    columns.count("invisible", "Images of other projects that are no longer visible: not shared any more, or gone"),
    columns.count("approved", "Of the deleted and invisible: those released by a person"),
    columns.count("held", "Removals withheld by the guard, still open after the run"),
    columns.count("unchanged", "Images that were already stored with this content"),
    columns.count("duplicates", "Rows received more than once, since pages overlap"),
    columns.count("quarantined", "Records that can't be read as an image"),
    columns.count("missing", "Live images that were not in the list"),
    columns.count("still_there", "Of the missing: those that the cloud still has, outside the list"),
    columns.count("unconfirmed", "Of the missing: those for which the cloud did not say whether they are gone"),
    columns.count("pending", "Of the missing: those listed too recently to be believed gone; see the setting grace"),
    columns.count("type_mismatches", "Values that did not fit their column and went to extra"),
    columns.count("requests", "Requests to the cloud"),
    columns.count("retries", "Of the requests: repeated ones"),
    columns.count("bytes", "Bytes received"),
    Column("error", Text, comment="Class of the error that ended the run"),
    Column("version", Text, nullable=False, comment="Version of the program"),
    Column("host", Text, nullable=False, comment="Host and process that ran it"),
    Column(
        "ignored",
        Text,
        nullable=False,
        server_default="",
        comment="API fields whose change alone made no version in it, separated by commas",
    ),
    columns.count("throttled_ms", "Milliseconds that the cloud made it wait"),
    Column("changes_digest", LargeBinary, comment="SHA-256 of its changes"),
    Column(
        "digest",
        LargeBinary,
        comment="SHA-256 of changes_digest, this row and the preceding digest; see docs/evidence.md",
    ),
    CheckConstraint(f"status IN ({_STATUSES})", name="status"),
    CheckConstraint("(status IN ('done', 'withheld')) = (effective_at IS NOT NULL)", name="effective"),
    PrimaryKeyConstraint("source", "run"),
    Index(None, "run"),  # unique by its sequence
    Index(
        "runs_source_effective_at_key",
        "source",
        "effective_at",
        unique=True,
        postgresql_where=text("effective_at IS NOT NULL"),
    ),
    # Runs that saw all of their list, and withheld nothing: between two of them lies each change.
    Index(
        "runs_complete_idx",
        "source",
        "effective_at",
        postgresql_where=text("effective_at IS NOT NULL AND proven AND unconfirmed + pending + held + quarantined = 0"),
    ),
    comment="One row per run, whatever its outcome",
)

run_pages = Table(
    "run_pages",
    metadata,
    columns.source(primary_key=True, checked=False),
    Column("run", BigInteger, primary_key=True, autoincrement=False, comment="The run"),
    Column("page", Integer, primary_key=True, autoincrement=False, comment="Number of the answer, in order of arrival"),
    Column("reading", Integer, nullable=False, comment="Number of the reading; 0 is the list that confirms deletions"),
    Column(
        "part",
        Text,
        nullable=False,
        server_default="",
        comment="Part of the list requested, where an API has several lists",
    ),
    Column("row_offset", BigInteger, comment="Offset requested; NULL: the list is read by marker"),
    Column("marker", Text, comment="Image after which the page begins; NULL: at the beginning"),
    Column(
        "descending",
        Boolean,
        nullable=False,
        comment="Whether the order was reversed: the newest image, or the highest id, first",
    ),
    Column("row_count", Integer, nullable=False, comment="Rows received"),
    Column("first_id", Text, comment="Id of the first row"),
    Column("last_id", Text, comment="Id of the last row"),
    Column("covers", TSTZRANGE, comment="Every image created within it is in the answer; NULL: none is certain"),
    Column(
        "covers_ids",
        columns.IdRange(),
        comment="Of a list by marker: every image with an id within it is in the answer; NULL: none is certain",
    ),
    Column("total", BigInteger, comment="Number of images, according to this answer"),
    Column("request_id", Text, comment="The gateway's id of the request"),
    Column("milliseconds", Integer, nullable=False, comment="How long the answer took"),
    columns.of_run("run"),
    comment="The evidence of runs that changed something or could not be proven: one row per answer",
)

findings = Table(
    "findings",
    metadata,
    columns.source(primary_key=True, checked=False),
    Column("kind", Text, primary_key=True, comment="contract: the API's answers are not as documented"),
    Column("subject", Text, primary_key=True, comment="Subject of the finding, such as the name of a field"),
    Column("detail", Text, nullable=False, comment="The finding, in words"),
    Column("first_run", BigInteger, nullable=False, comment="Run that found it first"),
    columns.moment("first_seen_at", "When that was", nullable=False),
    columns.of_run("first_run"),
    comment="Things worth knowing about a source, each recorded once",
)

prunings = Table(
    "prunings",
    metadata,
    Column("pruning", BigInteger, Identity(), nullable=False, comment="Number of the pruning"),
    columns.source(),
    columns.moment("pruned_before", "History before this was removed", nullable=False),
    Column("versions", BigInteger, nullable=False, comment="Versions removed, which had ended by then"),
    Column("pages", BigInteger, nullable=False, comment="Rows of evidence removed, of runs that took effect by then"),
    columns.moment("pruned_at", "When it was removed", nullable=False, now=True),
    Column("pruned_by", Text, nullable=False, comment="Who removed it"),
    PrimaryKeyConstraint("source", "pruning"),
    comment="Removals from the history: what, when and by whom",
)

report_bookmarks = Table(
    "report_bookmarks",
    metadata,
    Column("source", Text, primary_key=True, comment="Source the reports are about; empty is all of them"),
    Column("name", Text, primary_key=True, comment="Name chosen by the reader"),
    columns.moment("read_to", "End of the period of the last report", nullable=False),
    columns.moment("read_at", "When that report was made", nullable=False, now=True),
    comment="How far readers have had reports, for `report --since-last`",
)
