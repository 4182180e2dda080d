"""The inventory: sources, runs and their evidence, images and their versions, missing images, held deletions, and views.

Not released yet: this file is edited in place, each time under a new revision id, so that a database of an older draft
is never taken for a current one; ``sync.store.schema.migrate`` names the ids that were given up.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0001.6"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "inventory"
FOLDER = Path(__file__).parents[1] / "sql" / "0001"
# In the order in which they are made; each stands in a file of its name.
VIEWS_AND_FUNCTIONS = (
    *("text_of", "bigint_of", "boolean_of", "operating_system"),
    *("image_history", "live_images", "deleted_images", "invisible_images"),
    *("iec_images", "ims_images", "glance_images"),
    *(
        "instant",
        "changed_properties",
        "changed_fields",
        "field_text",
        "image_changes",
        "exposure_changes",
        "flapping_images",
    ),
    *("observed", "images_as_of", "images_diff", "run_diff"),
    *("freshness", "daily_counts", "run_digest"),
    "column_comments",
)
TABLES = (
    *("report_bookmarks", "prunings", "findings", "missing_images", "held_deletions", "quarantine"),
    *("image_versions", "images", "run_pages", "runs", "sources"),
)

text, bigint, integer, flag = sa.Text(), sa.BigInteger(), sa.Integer(), sa.Boolean()
moment, blob, jsonb, texts = sa.DateTime(timezone=True), sa.LargeBinary(), postgresql.JSONB(), postgresql.ARRAY(text)

# The cloud's fields, in ``images`` and ``image_versions``.
FIELDS = (
    ("id", text, "Id of the image, given by the cloud (iec, ims, glance: id)"),
    ("name", text, "Name of the image (iec, ims, glance: name)"),
    ("status", text, "State of the image in the cloud (iec, ims, glance: status)"),
    ("disk_format", text, "Format of the image file, such as zvhd2 (iec, ims, glance: disk_format)"),
    ("min_disk", bigint, "Smallest system disk the image runs on, in GB (iec, ims, glance: min_disk)"),
    ("min_ram", bigint, "Smallest memory the image runs with; 0 is no limit, in MB (iec, ims, glance: min_ram)"),
    ("owner", text, "Id of the project that owns the image (iec, ims, glance: owner)"),
    ("protected", flag, "Whether the cloud refuses to delete the image (iec, ims, glance: protected)"),
    ("visibility", text, "Who sees the image (iec, ims, glance: visibility)"),
    ("created_at", moment, "When the image was created, by the cloud's clock (iec, ims, glance: created_at)"),
    ("updated_at", moment, "When the image was last changed, by the cloud's clock (iec, ims, glance: updated_at)"),
    ("self_link", text, "Path of the image in the API (iec, ims, glance: self)"),
    ("vendor_deleted", flag, "Whether the cloud itself calls the image deleted (iec: deleted)"),
    ("virtual_env_type", text, "Environment the image is for (iec, ims: virtual_env_type)"),
    ("vendor_deleted_at", moment, "When the cloud itself says it was deleted (iec: deleted_at)"),
    ("relation_job_id", text, "Id of the job that made the image (iec: relation_job_id)"),
    ("imagetype", text, "Type of the image; gold is public (iec, ims: __imagetype)"),
    ("platform", text, "Family of the operating system, such as CentOS (iec, ims: __platform)"),
    ("os_type", text, "Kind of operating system (iec, ims: __os_type)"),
    ("os_version", text, "Exact version of the operating system (iec, ims: __os_version)"),
    ("isregistered", flag, "Whether the image is registered, hence usable (iec, ims: __isregistered)"),
    ("support_kvm", flag, "Runs on KVM (iec, ims: __support_kvm)"),
    ("support_kvm_gpu_type", text, "Type of GPU on KVM (iec, ims: __support_kvm_gpu_type)"),
    ("support_kvm_ascend_310", flag, "Supports AI acceleration (Ascend 310) (iec: __support_kvm_ascend_310)"),
    ("support_kvm_hi1822_hiovs", flag, "Supports enhanced computing (Hi1822) (iec: __support_kvm_hi1822_hiovs)"),
    ("support_arm", flag, "Runs on ARM (iec, ims: __support_arm)"),
    ("hw_firmware_type", text, "How the image boots (iec, ims, glance: hw_firmware_type)"),
    ("data_source", text, "What the image was made from, such as instance:<id> (iec: data_source)"),
    ("support_gpu_t4", flag, "Supports the GPU T4 (iec: __support_gpu_t4)"),
    ("support_amd", flag, "Runs on AMD (iec, ims: __support_amd)"),
    (
        "container_format",
        text,
        "Format of the container around the image file, such as bare (ims, glance: container_format)",
    ),
    ("size_bytes", bigint, "Size of the image file, in bytes (ims: __image_size; glance: size)"),
    ("checksum", text, "MD5 of the image file (ims, glance: checksum)"),
    ("hash_algorithm", text, "Algorithm of hash_value, such as sha512 (glance: os_hash_algo)"),
    ("hash_value", text, "Hash of the image file (glance: os_hash_value)"),
    ("tags", texts, "Tags, sorted, each once (ims, glance: tags)"),
    ("hidden", flag, "Whether the cloud leaves the image out of its usual list (glance: os_hidden)"),
    ("enterprise_project_id", text, "Id of the enterprise project; 0 is the default one (ims: enterprise_project_id)"),
    ("parent_image_id", text, "Id of the image that this one was made from (ims: __originalimagename)"),
    ("data_origin", text, "What the image was made from, such as server_backup,<id> (ims: __data_origin)"),
    ("encryption_key_id", text, "Id of the key that encrypts the image (ims: __system__cmkid)"),
    ("active_at", moment, "When the image became usable, by the cloud's clock (ims: active_at)"),
    ("os_bit", text, "Bits of the operating system, such as 64 (ims: __os_bit)"),
    ("offshelved", flag, "Whether a public image was taken off the shelf (ims: __is_offshelved)"),
    ("product_code", text, "Product code of an image from the marketplace (ims: __productcode)"),
    (
        "extra",
        jsonb,
        "Everything else that the cloud sent: unknown fields, and values that do not fit their column, by API name",
    ),
)

# The argument type of functions over versions. Not the row type of the view: tables would then depend on objects that
# depend on them, and could not be distributed over nodes.
VERSION = (
    ("source", "text"),
    *((name, kind.compile(dialect=postgresql.dialect())) for name, kind, _comment in FIELDS),
    *(("valid_from", "timestamptz"), ("valid_to", "timestamptz"), ("valid", "tstzrange")),
    *(("valid_from_run", "bigint"), ("valid_to_run", "bigint")),
)


class IdRange(UserDefinedType[str]):
    """A range of ids, in the order of their bytes."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        """The name of the type."""
        return f"{SCHEMA}.id_range"


def upgrade() -> None:
    """Make the tables, and then the views and functions over them."""
    op.execute(f'CREATE TYPE {SCHEMA}.id_range AS RANGE (subtype = text, collation = "C")')
    op.execute(f"COMMENT ON TYPE {SCHEMA}.id_range IS 'A range of ids, in the order of their bytes'")
    _table(
        "sources",
        "Cloud accounts and endpoints, each with one fixed filter",
        _column("name", text, "Name of the source in the settings"),
        _column("api", text, "API that it is read by: iec, ims or glance", default="iec"),
        _column("endpoint", text, "Address of the API at the last run"),
        _column("filter", text, "Filter of the inventory, as a query; empty is everything"),
        _column(
            "scope",
            text,
            "Project and roles of its credentials, as a query; empty: no project; NULL: not known yet",
            nullable=True,
        ),
        _column("epoch", bigint, "Committed runs so far: the fence", default=sa.text("0")),
        _column("effective_at", moment, "When the last committed run took effect", nullable=True),
        _column("proven_at", moment, "When the last run whose list was proven complete took effect", nullable=True),
        _column(
            "seen_at",
            moment,
            "When the last run took effect that accounted for every live image",
            nullable=True,
        ),
        _column("created_at", moment, "When the source was first seen", default=sa.text("clock_timestamp()")),
        _column("pruned_before", moment, "History before this moment was removed; NULL: none was", nullable=True),
        sa.PrimaryKeyConstraint("name", name="sources_pkey"),
    )
    _table(
        "runs",
        "One row per run, whatever its outcome",
        _column("run", bigint, "Number of the run", identity=True),
        _source(),
        _column(
            "status",
            text,
            "running; done; withheld: done, but without deletions; failed; interrupted: stopped from outside; superseded: another run was ahead; skipped: not started; abandoned: its process was killed",
        ),
        _column("reason", text, "Why it ended that way, in words", default=""),
        _column("trigger", text, "What started it: command, schedule or demo"),
        _column("started_at", moment, "When it began", default=sa.text("clock_timestamp()")),
        _column("deadline_at", moment, "Moment by which it ends, whatever happens"),
        _column("finished_at", moment, "When it ended", nullable=True),
        _column(
            "effective_at",
            moment,
            "The one moment at which its changes took effect; NULL: it wrote nothing",
            nullable=True,
        ),
        _column("epoch", bigint, "Epoch of the source when the run began"),
        _column("proven", flag, "Whether the list was proven", default=sa.text("false")),
        _column("proof", text, "Why the list is or is not proven, in words", default=""),
        _column("proven_by", text, "How the list is proven: whole, cover or count; NULL: it is not", nullable=True),
        _column("read_attempts", integer, "How often the list was read", default=sa.text("0")),
        _count("pages", "Answers read, in all readings together"),
        _count("received", "Rows received in the last reading, duplicates included"),
        _count("listed", "Rows received in the last reading, duplicates left out"),
        _column("total", bigint, "Number of images, as the cloud last reported it", nullable=True),
        _count("created", "Images seen for the first time"),
        _count("updated", "Live images with new content"),
        _count("restored", "Deleted or invisible images that came back"),
        _count("deleted", "Images marked deleted"),
        _count("invisible", "Images of other projects that are no longer visible: not shared any more, or gone"),
        _count("approved", "Of the deleted and invisible: those released by a person"),
        _count("held", "Removals withheld by the guard, still open after the run"),
        _count("unchanged", "Images that were already stored with this content"),
        _count("duplicates", "Rows received more than once, since pages overlap"),
        _count("quarantined", "Records that can't be read as an image"),
        _count("missing", "Live images that were not in the list"),
        _count("still_there", "Of the missing: those that the cloud still has, outside the list"),
        _count("unconfirmed", "Of the missing: those for which the cloud did not say whether they are gone"),
        _count("pending", "Of the missing: those listed too recently to be believed gone; see the setting grace"),
        _count("type_mismatches", "Values that did not fit their column and went to extra"),
        _count("requests", "Requests to the cloud"),
        _count("retries", "Of the requests: repeated ones"),
        _count("bytes", "Bytes received"),
        _column("error", text, "Class of the error that ended the run", nullable=True),
        _column("version", text, "Version of the program"),
        _column("host", text, "Host and process that ran it"),
        _column(
            "ignored",
            text,
            "API fields whose change alone made no version in it, separated by commas",
            default="",
        ),
        _count("throttled_ms", "Milliseconds that the cloud made it wait"),
        _column("changes_digest", blob, "SHA-256 of its changes", nullable=True),
        _column(
            "digest",
            blob,
            "SHA-256 of changes_digest, this row and the preceding digest; see docs/evidence.md",
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("source", "run", name="runs_pkey"),
        sa.ForeignKeyConstraint(["source"], ["inventory.sources.name"], name="runs_source_fkey"),
        sa.CheckConstraint(
            "(status IN ('done', 'withheld')) = (effective_at IS NOT NULL)", name=op.f("runs_effective_check")
        ),
        sa.CheckConstraint(
            "status IN ('running', 'done', 'withheld', 'failed', 'interrupted', 'superseded', 'skipped', 'abandoned')",
            name=op.f("runs_status_check"),
        ),
    )
    op.create_index(
        "runs_source_effective_at_key",
        "runs",
        ["source", "effective_at"],
        unique=True,
        postgresql_where=sa.text("effective_at IS NOT NULL"),
        schema=SCHEMA,
    )
    op.create_index(
        "runs_complete_idx",
        "runs",
        ["source", "effective_at"],
        postgresql_where=sa.text(
            "effective_at IS NOT NULL AND proven AND unconfirmed + pending + held + quarantined = 0"
        ),
        schema=SCHEMA,
    )
    op.create_index("runs_run_idx", "runs", ["run"], schema=SCHEMA)  # unique by its sequence
    _table(
        "run_pages",
        "The evidence of runs that changed something or could not be proven: one row per answer",
        _source(),
        _column("run", bigint, "The run"),
        _column("page", integer, "Number of the answer, in order of arrival"),
        _column("reading", integer, "Number of the reading; 0 is the list that confirms deletions"),
        _column("part", text, "Part of the list requested, where an API has several lists", default=""),
        _column("row_offset", bigint, "Offset requested; NULL: the list is read by marker", nullable=True),
        _column("marker", text, "Image after which the page begins; NULL: at the beginning", nullable=True),
        _column("descending", flag, "Whether the order was reversed: the newest image, or the highest id, first"),
        _column("row_count", integer, "Rows received"),
        _column("first_id", text, "Id of the first row", nullable=True),
        _column("last_id", text, "Id of the last row", nullable=True),
        _column(
            "covers",
            postgresql.TSTZRANGE(),
            "Every image created within it is in the answer; NULL: none is certain",
            nullable=True,
        ),
        _column(
            "covers_ids",
            IdRange(),
            "Of a list by marker: every image with an id within it is in the answer; NULL: none is certain",
            nullable=True,
        ),
        _column("total", bigint, "Number of images, according to this answer", nullable=True),
        _column("request_id", text, "The gateway's id of the request", nullable=True),
        _column("milliseconds", integer, "How long the answer took"),
        sa.PrimaryKeyConstraint("source", "run", "page", name="run_pages_pkey"),
        _of_run("run_pages", "run"),
    )
    _table(
        "images",
        "The current state: live images, and deleted and invisible ones as they last were",
        _source(),
        *_fields(),
        _column("first_seen_at", moment, "When the image first entered the inventory"),
        _column("valid_from", moment, "Start of the period with this content"),
        _column(
            "listed_since",
            moment,
            "Start of its presence in lists: when it was first seen, came back, or was listed again after it was missing",
        ),
        _column("deleted_at", moment, "When the image was found to be gone; NULL: it is live", nullable=True),
        _column(
            "invisible_since",
            moment,
            "When an image of another project was found to be no longer visible; NULL: it is live, or deleted",
            nullable=True,
        ),
        _column(
            "last_seen_at", moment, "Of a deleted or invisible image: when it was last known to exist", nullable=True
        ),
        _column("valid_from_run", bigint, "Run that found this content"),
        _column("deleted_run", bigint, "Run that found it gone", nullable=True),
        _column("invisible_run", bigint, "Run that found it no longer visible", nullable=True),
        _column("raw_digest", blob, "blake2b (16 bytes) of the JSON as sent, tags sorted"),
        _column("content_digest", blob, "blake2b (16 bytes) of the content, canonical"),
        sa.PrimaryKeyConstraint("source", "id", name="images_pkey"),
        sa.CheckConstraint("(deleted_at IS NULL) = (deleted_run IS NULL)", name=op.f("images_deleted_check")),
        sa.CheckConstraint("(invisible_since IS NULL) = (invisible_run IS NULL)", name=op.f("images_invisible_check")),
        sa.CheckConstraint("deleted_at IS NULL OR invisible_since IS NULL", name=op.f("images_state_check")),
        sa.CheckConstraint(
            "deleted_at >= valid_from AND invisible_since >= valid_from", name=op.f("images_order_check")
        ),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index(
        "images_dead_idx",
        "images",
        ["source"],
        postgresql_where=sa.text(
            "deleted_at IS NULL AND invisible_since IS NULL"
            " AND (vendor_deleted IS TRUE OR status IS NOT DISTINCT FROM 'deleted')"
        ),
        schema=SCHEMA,
    )
    _table(
        "image_versions",
        "Every earlier version of an image; the current one is in images",
        _source(),
        *_fields(),
        _column("valid_from", moment, "Start of the period with this content"),
        _column("valid_to", moment, "End of that period, exclusive"),
        _column("valid_from_run", bigint, "Run that found this content"),
        _column("valid_to_run", bigint, "Run that found it changed or gone"),
        _column(
            "invisible",
            flag,
            "Whether it ended because the image of another project was no longer visible",
            default=sa.text("false"),
        ),
        sa.PrimaryKeyConstraint("source", "id", "valid_from", name="image_versions_pkey"),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("image_versions_period_check")),
    )
    op.create_index("image_versions_source_valid_from_idx", "image_versions", ["source", "valid_from"], schema=SCHEMA)
    op.create_index("image_versions_source_valid_to_idx", "image_versions", ["source", "valid_to"], schema=SCHEMA)
    _table(
        "quarantine",
        "Records that can't be read as an image, kept raw",
        _source(),
        _column("digest", blob, "blake2b (16 bytes) of the record"),
        _column("id", text, "Id in the record, if that can be read", nullable=True),
        _column("raw", blob, "The record, exactly as the cloud sent it"),
        _column("reason", text, "Why it can't be read as an image"),
        _column("first_run", bigint, "Run that received it first"),
        _column("first_seen_at", moment, "When that was"),
        sa.PrimaryKeyConstraint("source", "digest", name="quarantine_pkey"),
        _of_run("quarantine", "first_run"),
    )
    _table(
        "held_deletions",
        "Removals withheld by the guard until a person approves them",
        _source(),
        _column("id", text, "Image whose removal is withheld"),
        _column("run", bigint, "Run that withheld it first"),
        _column("reason", text, "Why, in words"),
        _column("held_at", moment, "When that was"),
        _column("last_seen_at", moment, "When the image was last known to exist", nullable=True),
        _column("approved_at", moment, "When a person released the removal", nullable=True),
        _column("approved_by", text, "Who released it", nullable=True),
        _column("closed_at", moment, "When the case was closed", nullable=True),
        _column("closed_run", bigint, "Run that closed it", nullable=True),
        _column("outcome", text, "deleted, invisible, or returned: the image was there again", nullable=True),
        sa.PrimaryKeyConstraint("source", "id", "run", name="held_deletions_pkey"),
        _of_run("held_deletions", "run"),
        _of_run("held_deletions", "closed_run"),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name=op.f("held_deletions_closed_check")),
        sa.CheckConstraint(
            "outcome IN ('deleted', 'invisible', 'returned')", name=op.f("held_deletions_outcome_check")
        ),
    )
    op.create_index(
        "held_deletions_open_key",
        "held_deletions",
        ["source", "id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
        schema=SCHEMA,
    )
    _table(
        "missing_images",
        "Live images that a proven list lacked, and why they are not removed",
        _source(),
        _column("id", text, "Live image that a proven list lacked"),
        _column("since", moment, "When it was first missing"),
        _column("run", bigint, "Run that first found it missing"),
        _column(
            "state",
            text,
            "still_there: the cloud has it, outside the list; unconfirmed: the cloud did not say; pending: listed too recently to be believed gone",
        ),
        _column("state_run", bigint, "Run that first found this state"),
        _column("pending_until", moment, "If pending: until when it is not believed gone", nullable=True),
        _column("ended_at", moment, "When it was no longer missing; NULL: it still is", nullable=True),
        _column("ended_run", bigint, "Run that found it no longer missing", nullable=True),
        _column(
            "outcome",
            text,
            "listed: a list shows it again; deleted; invisible; held: see held_deletions",
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("source", "id", "since", name="missing_images_pkey"),
        _of_run("missing_images", "run"),
        _of_run("missing_images", "state_run"),
        _of_run("missing_images", "ended_run"),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("missing_images_ended_check")),
        sa.CheckConstraint(
            "outcome IN ('listed', 'deleted', 'invisible', 'held')", name=op.f("missing_images_outcome_check")
        ),
        sa.CheckConstraint(
            "(state = 'pending') = (pending_until IS NOT NULL)", name=op.f("missing_images_pending_check")
        ),
        sa.CheckConstraint(
            "state IN ('still_there', 'unconfirmed', 'pending')", name=op.f("missing_images_state_check")
        ),
    )
    op.create_index(
        "missing_images_open_key",
        "missing_images",
        ["source", "id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        schema=SCHEMA,
    )
    _table(
        "findings",
        "Things worth knowing about a source, each recorded once",
        _source(),
        _column("kind", text, "contract: the API's answers are not as documented"),
        _column("subject", text, "Subject of the finding, such as the name of a field"),
        _column("detail", text, "The finding, in words"),
        _column("first_run", bigint, "Run that found it first"),
        _column("first_seen_at", moment, "When that was"),
        sa.PrimaryKeyConstraint("source", "kind", "subject", name="findings_pkey"),
        _of_run("findings", "first_run"),
    )
    _table(
        "prunings",
        "Removals from the history: what, when and by whom",
        _column("pruning", bigint, "Number of the pruning", identity=True),
        _source(),
        _column("pruned_before", moment, "History before this was removed"),
        _column("versions", bigint, "Versions removed, which had ended by then"),
        _column("pages", bigint, "Rows of evidence removed, of runs that took effect by then"),
        _column("pruned_at", moment, "When it was removed", default=sa.text("clock_timestamp()")),
        _column("pruned_by", text, "Who removed it"),
        sa.PrimaryKeyConstraint("source", "pruning", name="prunings_pkey"),
        sa.ForeignKeyConstraint(["source"], ["inventory.sources.name"], name="prunings_source_fkey"),
    )
    _table(
        "report_bookmarks",
        "How far readers have had reports, for `report --since-last`",
        _column("source", text, "Source the reports are about; empty is all of them"),
        _column("name", text, "Name chosen by the reader"),
        _column("read_to", moment, "End of the period of the last report"),
        _column("read_at", moment, "When that report was made", default=sa.text("clock_timestamp()")),
        sa.PrimaryKeyConstraint("source", "name", name="report_bookmarks_pkey"),
    )
    op.execute(f"CREATE TYPE {SCHEMA}.image_version AS ({', '.join(f'{name} {kind}' for name, kind in VERSION)})")
    op.execute(f"COMMENT ON TYPE {SCHEMA}.image_version IS 'One row of image_history, as a value'")
    for name in VIEWS_AND_FUNCTIONS:
        op.execute(FOLDER.joinpath(f"{name}.sql").read_text(encoding="utf-8").rstrip().removesuffix(";"))


def downgrade() -> None:
    """Drop all of it, data included."""
    op.execute(
        """
        DROP VIEW inventory.daily_counts, inventory.freshness, inventory.flapping_images, inventory.exposure_changes,
                  inventory.image_changes, inventory.iec_images, inventory.ims_images, inventory.glance_images,
                  inventory.invisible_images, inventory.deleted_images, inventory.live_images;
        DROP FUNCTION inventory.run_digest, inventory.run_diff, inventory.images_diff, inventory.images_as_of,
                      inventory.observed, inventory.field_text, inventory.changed_fields, inventory.changed_properties,
                      inventory.instant, inventory.operating_system, inventory.text_of, inventory.bigint_of,
                      inventory.boolean_of;
        DROP VIEW inventory.image_history;
        DROP TYPE inventory.image_version
        """
    )
    for name in TABLES:
        op.drop_table(name, schema=SCHEMA)
    op.execute(f"DROP TYPE {SCHEMA}.id_range")


def _table(name: str, comment: str, *parts: sa.schema.SchemaItem, **options: object) -> None:
    op.create_table(name, *parts, schema=SCHEMA, comment=comment, **options)


def _column(name: str, kind: object, comment: str, **options: object) -> sa.Column:
    identity = (sa.Identity(),) if options.get("identity") else ()
    nullable, default = bool(options.get("nullable")), options.get("default")
    return sa.Column(
        name, kind, *identity, nullable=nullable, server_default=default, comment=comment, autoincrement=bool(identity)
    )


def _count(name: str, comment: str) -> sa.Column:
    return _column(name, bigint, comment, default=sa.text("0"))


def _source() -> sa.Column:
    return _column("source", text, "Source the row belongs to")


def _of_run(table: str, column: str) -> sa.ForeignKeyConstraint:
    """A column with the number of a run of the row's own source."""
    runs = [f"{SCHEMA}.runs.source", f"{SCHEMA}.runs.run"]
    return sa.ForeignKeyConstraint(["source", column], runs, name=f"{table}_source_{column}_fkey")


def _fields() -> list[sa.Column]:
    """The cloud's fields; all but the id may be absent."""
    return [_column(name, kind, comment, nullable=name != "id") for name, kind, comment in FIELDS]
