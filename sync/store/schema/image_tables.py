"""The tables of images, and of what runs could not settle about them; columns come from ``domain.fields``."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)

from sync.store.schema import columns
from sync.store.schema.columns import metadata

_STATES_COMMENT = (
    "still_there: the cloud has it, outside the list; unconfirmed: the cloud did not say; pending: listed too "
    "recently to be believed gone"
)

images = Table(
    "images",
    metadata,
    columns.source(primary_key=True, checked=False),
    *columns.fields(),
    columns.moment("first_seen_at", "When the image first entered the inventory", nullable=False),
    columns.moment("valid_from", "Start of the period with this content", nullable=False),
    columns.moment(
        "listed_since",
        "Start of its presence in lists: when it was first seen, came back, or was listed again after it was missing",
        nullable=False,
    ),
    columns.moment("deleted_at", "When the image was found to be gone; NULL: it is live"),
    columns.moment(
        "invisible_since",
        "When an image of another project was found to be no longer visible; NULL: it is live, or deleted",
    ),
    columns.moment("last_seen_at", "Of a deleted or invisible image: when it was last known to exist"),
    Column("valid_from_run", BigInteger, nullable=False, comment="Run that found this content"),
    Column("deleted_run", BigInteger, comment="Run that found it gone"),
    Column("invisible_run", BigInteger, comment="Run that found it no longer visible"),
    Column("raw_digest", LargeBinary, nullable=False, comment="blake2b (16 bytes) of the JSON as sent, tags sorted"),
    Column("content_digest", LargeBinary, nullable=False, comment="blake2b (16 bytes) of the content, canonical"),
    CheckConstraint("(deleted_at IS NULL) = (deleted_run IS NULL)", name="deleted"),
    CheckConstraint("(invisible_since IS NULL) = (invisible_run IS NULL)", name="invisible"),
    CheckConstraint("deleted_at IS NULL OR invisible_since IS NULL", name="state"),
    CheckConstraint("deleted_at >= valid_from AND invisible_since >= valid_from", name="order"),
    # Nearly always empty: what the cloud lists as deleted while its deletion is withheld; each run looks for it.
    Index(
        "images_dead_idx",
        "source",
        postgresql_where=text(
            "deleted_at IS NULL AND invisible_since IS NULL"
            " AND (vendor_deleted IS TRUE OR status IS NOT DISTINCT FROM 'deleted')"
        ),
    ),
    postgresql_with={"fillfactor": 85},
    comment="The current state: live images, and deleted and invisible ones as they last were",
)

image_versions = Table(
    "image_versions",
    metadata,
    columns.source(primary_key=True, checked=False),
    *columns.fields(),
    Column("valid_from", DateTime(timezone=True), primary_key=True, comment="Start of the period with this content"),
    columns.moment("valid_to", "End of that period, exclusive", nullable=False),
    Column("valid_from_run", BigInteger, nullable=False, comment="Run that found this content"),
    Column("valid_to_run", BigInteger, nullable=False, comment="Run that found it changed or gone"),
    Column(
        "invisible",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Whether it ended because the image of another project was no longer visible",
    ),
    CheckConstraint("valid_from < valid_to", name="period"),
    Index(None, "source", "valid_to"),
    Index(None, "source", "valid_from"),
    comment="Every earlier version of an image; the current one is in images",
)

quarantine = Table(
    "quarantine",
    metadata,
    columns.source(primary_key=True, checked=False),
    Column("digest", LargeBinary, primary_key=True, comment="blake2b (16 bytes) of the record"),
    Column("id", Text, comment="Id in the record, if that can be read"),
    Column("raw", LargeBinary, nullable=False, comment="The record, exactly as the cloud sent it"),
    Column("reason", Text, nullable=False, comment="Why it can't be read as an image"),
    Column("first_run", BigInteger, nullable=False, comment="Run that received it first"),
    columns.moment("first_seen_at", "When that was", nullable=False),
    columns.of_run("first_run"),
    comment="Records that can't be read as an image, kept raw",
)

held_deletions = Table(
    "held_deletions",
    metadata,
    columns.source(primary_key=True, checked=False),
    Column("id", Text, primary_key=True, comment="Image whose removal is withheld"),
    Column("run", BigInteger, primary_key=True, autoincrement=False, comment="Run that withheld it first"),
    Column("reason", Text, nullable=False, comment="Why, in words"),
    columns.moment("held_at", "When that was", nullable=False),
    columns.moment("last_seen_at", "When the image was last known to exist"),
    columns.moment("approved_at", "When a person released the removal"),
    Column("approved_by", Text, comment="Who released it"),
    columns.moment("closed_at", "When the case was closed"),
    Column("closed_run", BigInteger, comment="Run that closed it"),
    Column("outcome", Text, comment="deleted, invisible, or returned: the image was there again"),
    columns.of_run("run"),
    columns.of_run("closed_run"),
    CheckConstraint("outcome IN ('deleted', 'invisible', 'returned')", name="outcome"),
    CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="closed"),
    Index("held_deletions_open_key", "source", "id", unique=True, postgresql_where=text("closed_at IS NULL")),
    comment="Removals withheld by the guard until a person approves them",
)

missing_images = Table(
    "missing_images",
    metadata,
    columns.source(primary_key=True, checked=False),
    Column("id", Text, primary_key=True, comment="Live image that a proven list lacked"),
    Column("since", DateTime(timezone=True), primary_key=True, comment="When it was first missing"),
    Column("run", BigInteger, nullable=False, comment="Run that first found it missing"),
    Column("state", Text, nullable=False, comment=_STATES_COMMENT),
    Column("state_run", BigInteger, nullable=False, comment="Run that first found this state"),
    columns.moment("pending_until", "If pending: until when it is not believed gone"),
    columns.moment("ended_at", "When it was no longer missing; NULL: it still is"),
    Column("ended_run", BigInteger, comment="Run that found it no longer missing"),
    Column("outcome", Text, comment="listed: a list shows it again; deleted; invisible; held: see held_deletions"),
    columns.of_run("run"),
    columns.of_run("state_run"),
    columns.of_run("ended_run"),
    CheckConstraint("state IN ('still_there', 'unconfirmed', 'pending')", name="state"),
    CheckConstraint("(state = 'pending') = (pending_until IS NOT NULL)", name="pending"),
    CheckConstraint("outcome IN ('listed', 'deleted', 'invisible', 'held')", name="outcome"),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
    Index("missing_images_open_key", "source", "id", unique=True, postgresql_where=text("ended_at IS NULL")),
    comment="Live images that a proven list lacked, and why they are not removed",
)
