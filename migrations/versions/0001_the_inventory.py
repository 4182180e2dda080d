"""The inventory: sources, runs and their evidence, images and their versions, and what is withheld."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "image_versions",
        sa.Column("source", sa.Text(), nullable=False, comment="Source the row belongs to"),
        sa.Column("id", sa.Text(), nullable=False, comment="Id of the image, given by the cloud (API: id)"),
        sa.Column("name", sa.Text(), nullable=True, comment="Name of the image (API: name)"),
        sa.Column("status", sa.Text(), nullable=True, comment="State of the image in the cloud (API: status)"),
        sa.Column(
            "disk_format",
            sa.Text(),
            nullable=True,
            comment="Format of the image file, such as zvhd2 (API: disk_format)",
        ),
        sa.Column(
            "min_disk",
            sa.BigInteger(),
            nullable=True,
            comment="Smallest system disk the image runs on, in GB (API: min_disk)",
        ),
        sa.Column(
            "min_ram",
            sa.BigInteger(),
            nullable=True,
            comment="Smallest memory the image runs with; 0 is no limit, in MB (API: min_ram)",
        ),
        sa.Column("owner", sa.Text(), nullable=True, comment="Id of the project that owns the image (API: owner)"),
        sa.Column(
            "protected",
            sa.Boolean(),
            nullable=True,
            comment="Whether the cloud refuses to delete the image (API: protected)",
        ),
        sa.Column("visibility", sa.Text(), nullable=True, comment="Who sees the image (API: visibility)"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the image was created, by the cloud's clock (API: created_at)",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the image was last changed, by the cloud's clock (API: updated_at)",
        ),
        sa.Column("self_link", sa.Text(), nullable=True, comment="Path of the image in the API (API: self)"),
        sa.Column(
            "vendor_deleted",
            sa.Boolean(),
            nullable=True,
            comment="Whether the cloud itself calls the image deleted (API: deleted)",
        ),
        sa.Column(
            "virtual_env_type", sa.Text(), nullable=True, comment="Environment the image is for (API: virtual_env_type)"
        ),
        sa.Column(
            "vendor_deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the cloud itself says it was deleted (API: deleted_at)",
        ),
        sa.Column(
            "relation_job_id",
            sa.Text(),
            nullable=True,
            comment="Id of the job that made the image (API: relation_job_id)",
        ),
        sa.Column(
            "imagetype", sa.Text(), nullable=True, comment="Type of the image; gold is public (API: __imagetype)"
        ),
        sa.Column(
            "platform",
            sa.Text(),
            nullable=True,
            comment="Family of the operating system, such as CentOS (API: __platform)",
        ),
        sa.Column("os_type", sa.Text(), nullable=True, comment="Kind of operating system (API: __os_type)"),
        sa.Column(
            "os_version", sa.Text(), nullable=True, comment="Exact version of the operating system (API: __os_version)"
        ),
        sa.Column(
            "isregistered",
            sa.Boolean(),
            nullable=True,
            comment="Whether the image is registered, hence usable (API: __isregistered)",
        ),
        sa.Column("support_kvm", sa.Boolean(), nullable=True, comment="Runs on KVM (API: __support_kvm)"),
        sa.Column(
            "support_kvm_gpu_type", sa.Text(), nullable=True, comment="Type of GPU on KVM (API: __support_kvm_gpu_type)"
        ),
        sa.Column(
            "support_kvm_ascend_310",
            sa.Boolean(),
            nullable=True,
            comment="Supports AI acceleration (Ascend 310) (API: __support_kvm_ascend_310)",
        ),
        sa.Column(
            "support_kvm_hi1822_hiovs",
            sa.Boolean(),
            nullable=True,
            comment="Supports enhanced computing (Hi1822) (API: __support_kvm_hi1822_hiovs)",
        ),
        sa.Column("support_arm", sa.Boolean(), nullable=True, comment="Runs on ARM (API: __support_arm)"),
        sa.Column("hw_firmware_type", sa.Text(), nullable=True, comment="How the image boots (API: hw_firmware_type)"),
        sa.Column(
            "data_source",
            sa.Text(),
            nullable=True,
            comment="What the image was made from, such as instance:<id> (API: data_source)",
        ),
        sa.Column("support_gpu_t4", sa.Boolean(), nullable=True, comment="Supports the GPU T4 (API: __support_gpu_t4)"),
        sa.Column("support_amd", sa.Boolean(), nullable=True, comment="Runs on AMD (API: __support_amd)"),
        sa.Column(
            "extra",
            postgresql.JSONB(),
            nullable=True,
            comment="What the cloud sent besides: unknown fields, and values that do not fit their column, by API name",
        ),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False, comment="Since when the content was so"),
        sa.Column(
            "valid_to", sa.DateTime(timezone=True), nullable=False, comment="Until when, this moment not included"
        ),
        sa.Column("valid_from_run", sa.BigInteger(), nullable=False, comment="Run that found this content"),
        sa.Column("valid_to_run", sa.BigInteger(), nullable=False, comment="Run that found it changed or gone"),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("image_versions_period_check")),
        sa.PrimaryKeyConstraint("source", "id", "valid_from", name=op.f("image_versions_pkey")),
        schema="inventory",
        comment="Every earlier version of an image; the current one is in images",
    )
    op.create_index(
        op.f("image_versions_source_valid_to_idx"),
        "image_versions",
        ["source", "valid_to"],
        unique=False,
        schema="inventory",
    )
    op.create_table(
        "images",
        sa.Column("source", sa.Text(), nullable=False, comment="Source the row belongs to"),
        sa.Column("id", sa.Text(), nullable=False, comment="Id of the image, given by the cloud (API: id)"),
        sa.Column("name", sa.Text(), nullable=True, comment="Name of the image (API: name)"),
        sa.Column("status", sa.Text(), nullable=True, comment="State of the image in the cloud (API: status)"),
        sa.Column(
            "disk_format",
            sa.Text(),
            nullable=True,
            comment="Format of the image file, such as zvhd2 (API: disk_format)",
        ),
        sa.Column(
            "min_disk",
            sa.BigInteger(),
            nullable=True,
            comment="Smallest system disk the image runs on, in GB (API: min_disk)",
        ),
        sa.Column(
            "min_ram",
            sa.BigInteger(),
            nullable=True,
            comment="Smallest memory the image runs with; 0 is no limit, in MB (API: min_ram)",
        ),
        sa.Column("owner", sa.Text(), nullable=True, comment="Id of the project that owns the image (API: owner)"),
        sa.Column(
            "protected",
            sa.Boolean(),
            nullable=True,
            comment="Whether the cloud refuses to delete the image (API: protected)",
        ),
        sa.Column("visibility", sa.Text(), nullable=True, comment="Who sees the image (API: visibility)"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the image was created, by the cloud's clock (API: created_at)",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the image was last changed, by the cloud's clock (API: updated_at)",
        ),
        sa.Column("self_link", sa.Text(), nullable=True, comment="Path of the image in the API (API: self)"),
        sa.Column(
            "vendor_deleted",
            sa.Boolean(),
            nullable=True,
            comment="Whether the cloud itself calls the image deleted (API: deleted)",
        ),
        sa.Column(
            "virtual_env_type", sa.Text(), nullable=True, comment="Environment the image is for (API: virtual_env_type)"
        ),
        sa.Column(
            "vendor_deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the cloud itself says it was deleted (API: deleted_at)",
        ),
        sa.Column(
            "relation_job_id",
            sa.Text(),
            nullable=True,
            comment="Id of the job that made the image (API: relation_job_id)",
        ),
        sa.Column(
            "imagetype", sa.Text(), nullable=True, comment="Type of the image; gold is public (API: __imagetype)"
        ),
        sa.Column(
            "platform",
            sa.Text(),
            nullable=True,
            comment="Family of the operating system, such as CentOS (API: __platform)",
        ),
        sa.Column("os_type", sa.Text(), nullable=True, comment="Kind of operating system (API: __os_type)"),
        sa.Column(
            "os_version", sa.Text(), nullable=True, comment="Exact version of the operating system (API: __os_version)"
        ),
        sa.Column(
            "isregistered",
            sa.Boolean(),
            nullable=True,
            comment="Whether the image is registered, hence usable (API: __isregistered)",
        ),
        sa.Column("support_kvm", sa.Boolean(), nullable=True, comment="Runs on KVM (API: __support_kvm)"),
        sa.Column(
            "support_kvm_gpu_type", sa.Text(), nullable=True, comment="Type of GPU on KVM (API: __support_kvm_gpu_type)"
        ),
        sa.Column(
            "support_kvm_ascend_310",
            sa.Boolean(),
            nullable=True,
            comment="Supports AI acceleration (Ascend 310) (API: __support_kvm_ascend_310)",
        ),
        sa.Column(
            "support_kvm_hi1822_hiovs",
            sa.Boolean(),
            nullable=True,
            comment="Supports enhanced computing (Hi1822) (API: __support_kvm_hi1822_hiovs)",
        ),
        sa.Column("support_arm", sa.Boolean(), nullable=True, comment="Runs on ARM (API: __support_arm)"),
        sa.Column("hw_firmware_type", sa.Text(), nullable=True, comment="How the image boots (API: hw_firmware_type)"),
        sa.Column(
            "data_source",
            sa.Text(),
            nullable=True,
            comment="What the image was made from, such as instance:<id> (API: data_source)",
        ),
        sa.Column("support_gpu_t4", sa.Boolean(), nullable=True, comment="Supports the GPU T4 (API: __support_gpu_t4)"),
        sa.Column("support_amd", sa.Boolean(), nullable=True, comment="Runs on AMD (API: __support_amd)"),
        sa.Column(
            "extra",
            postgresql.JSONB(),
            nullable=True,
            comment="What the cloud sent besides: unknown fields, and values that do not fit their column, by API name",
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the image first entered the inventory",
        ),
        sa.Column(
            "valid_from",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Since when the content is as it stands here",
        ),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the image was found to be gone; NULL: it is live",
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Of a deleted image: when it was last known to exist",
        ),
        sa.Column(
            "valid_from_run", sa.BigInteger(), nullable=False, comment="Run that found the content as it stands here"
        ),
        sa.Column("deleted_run", sa.BigInteger(), nullable=True, comment="Run that found it gone"),
        sa.Column(
            "raw_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="blake2b (16 bytes) of the JSON as the cloud sent it",
        ),
        sa.Column(
            "content_digest", sa.LargeBinary(), nullable=False, comment="blake2b (16 bytes) of the content, canonical"
        ),
        sa.CheckConstraint("(deleted_at IS NULL) = (deleted_run IS NULL)", name=op.f("images_deleted_check")),
        sa.CheckConstraint("deleted_at >= valid_from", name=op.f("images_order_check")),
        sa.PrimaryKeyConstraint("source", "id", name=op.f("images_pkey")),
        schema="inventory",
        comment="The current state: live images, and deleted ones as they last were",
        postgresql_with={"fillfactor": 85},
    )
    op.create_index(
        "images_dead_idx",
        "images",
        ["source"],
        unique=False,
        schema="inventory",
        postgresql_where=sa.text(
            "deleted_at IS NULL AND (vendor_deleted IS TRUE OR status IS NOT DISTINCT FROM 'deleted')"
        ),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the source in the settings"),
        sa.Column(
            "api", sa.Text(), server_default="iec.v1.images", nullable=False, comment="Which API the source speaks"
        ),
        sa.Column("endpoint", sa.Text(), nullable=False, comment="Address of the API at the last run"),
        sa.Column(
            "scope",
            sa.Text(),
            nullable=False,
            comment="Filter the inventory was made with, as a query; empty is everything",
        ),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Committed runs so far: the fence",
        ),
        sa.Column(
            "effective_at", sa.DateTime(timezone=True), nullable=True, comment="When the last committed run took effect"
        ),
        sa.Column(
            "proven_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the last run whose list was proven complete took effect",
        ),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the last run took effect that saw each live image or knew it to be gone",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When the source was first seen",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("sources_pkey")),
        schema="inventory",
        comment="Cloud accounts and endpoints, each with one fixed filter",
    )
    op.create_table(
        "runs",
        sa.Column("run", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="Number of the run"),
        sa.Column("source", sa.Text(), nullable=False, comment="Source the row belongs to"),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="running; done; withheld: done, but without deletions; failed; interrupted: stopped from outside; superseded: another run was ahead; skipped: not started; abandoned: its process was killed",
        ),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="Why it ended so, in words"),
        sa.Column("trigger", sa.Text(), nullable=False, comment="What started it: command, schedule or demo"),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it began",
        ),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False, comment="By when it ends, come what may"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended"),
        sa.Column(
            "effective_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The one moment at which its changes took effect; NULL: it wrote nothing",
        ),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="Epoch of the source when the run began"),
        sa.Column(
            "proven",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether the list was proven",
        ),
        sa.Column(
            "proof", sa.Text(), server_default="", nullable=False, comment="Why the list is or is not proven, in words"
        ),
        sa.Column(
            "readings", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="How often the list was read"
        ),
        sa.Column(
            "pages",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Answers read, all readings together",
        ),
        sa.Column(
            "received",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that came in the last reading, duplicates included",
        ),
        sa.Column("listed", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Images among them"),
        sa.Column("total", sa.BigInteger(), nullable=True, comment="Number of images by the cloud's last word"),
        sa.Column(
            "created",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Images seen for the first time",
        ),
        sa.Column(
            "updated",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Live images with new content",
        ),
        sa.Column(
            "restored",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Deleted images that came back",
        ),
        sa.Column(
            "deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Images marked deleted"
        ),
        sa.Column(
            "approved",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Of the deleted: those released by a person",
        ),
        sa.Column(
            "held",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Deletions withheld by the guard, still open after the run",
        ),
        sa.Column(
            "unchanged", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Images found as stored"
        ),
        sa.Column(
            "duplicates",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that came more than once, as overlapping pages bring them",
        ),
        sa.Column(
            "quarantined",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Records that can't be read as an image",
        ),
        sa.Column(
            "missing",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Live images that were not in the list",
        ),
        sa.Column(
            "kept",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Of the missing: those not confirmed gone",
        ),
        sa.Column(
            "misfits",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Values that did not fit their column and went to extra",
        ),
        sa.Column(
            "requests", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Requests to the cloud"
        ),
        sa.Column(
            "retries", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Of these: repeated ones"
        ),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Bytes received"),
        sa.Column("error", sa.Text(), nullable=True, comment="Class of the error that ended the run"),
        sa.Column("version", sa.Text(), nullable=False, comment="Version of the program"),
        sa.Column("host", sa.Text(), nullable=False, comment="Host and process that ran it"),
        sa.CheckConstraint(
            "(status IN ('done', 'withheld')) = (effective_at IS NOT NULL)", name=op.f("runs_effective_check")
        ),
        sa.CheckConstraint(
            "status IN ('running', 'done', 'withheld', 'failed', 'interrupted', 'superseded', 'skipped', 'abandoned')",
            name=op.f("runs_status_check"),
        ),
        sa.ForeignKeyConstraint(["source"], ["inventory.sources.name"], name=op.f("runs_source_fkey")),
        sa.PrimaryKeyConstraint("run", name=op.f("runs_pkey")),
        schema="inventory",
        comment="One row a run, whatever happened to it",
    )
    op.create_index(
        "runs_source_effective_at_key",
        "runs",
        ["source", "effective_at"],
        unique=True,
        schema="inventory",
        postgresql_where=sa.text("effective_at IS NOT NULL"),
    )
    op.create_index(op.f("runs_source_run_idx"), "runs", ["source", "run"], unique=False, schema="inventory")
    op.create_table(
        "findings",
        sa.Column("source", sa.Text(), nullable=False, comment="Source the row belongs to"),
        sa.Column("kind", sa.Text(), nullable=False, comment="contract: the API's answers are not as documented"),
        sa.Column("subject", sa.Text(), nullable=False, comment="What it is about, such as the name of a field"),
        sa.Column("detail", sa.Text(), nullable=False, comment="What was found, in words"),
        sa.Column("first_run", sa.BigInteger(), nullable=False, comment="Run that found it first"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When that was"),
        sa.ForeignKeyConstraint(["first_run"], ["inventory.runs.run"], name=op.f("findings_first_run_fkey")),
        sa.ForeignKeyConstraint(["source"], ["inventory.sources.name"], name=op.f("findings_source_fkey")),
        sa.PrimaryKeyConstraint("source", "kind", "subject", name=op.f("findings_pkey")),
        schema="inventory",
        comment="What is worth knowing about a source, each told once",
    )
    op.create_table(
        "held_deletions",
        sa.Column("source", sa.Text(), nullable=False, comment="Source the row belongs to"),
        sa.Column("id", sa.Text(), nullable=False, comment="Image whose deletion is withheld"),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False, comment="Run that withheld it first"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in words"),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False, comment="When that was"),
        sa.Column(
            "last_seen_at", sa.DateTime(timezone=True), nullable=True, comment="When the image was last known to exist"
        ),
        sa.Column(
            "approved_at", sa.DateTime(timezone=True), nullable=True, comment="When a person released the deletion"
        ),
        sa.Column("approved_by", sa.Text(), nullable=True, comment="Who that was"),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="When the case was closed"),
        sa.Column("closed_run", sa.BigInteger(), nullable=True, comment="Run that closed it"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="deleted, or returned: the image was there again"),
        sa.CheckConstraint("outcome IN ('deleted', 'returned')", name=op.f("held_deletions_outcome_check")),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name=op.f("held_deletions_closed_check")),
        sa.ForeignKeyConstraint(["closed_run"], ["inventory.runs.run"], name=op.f("held_deletions_closed_run_fkey")),
        sa.ForeignKeyConstraint(["run"], ["inventory.runs.run"], name=op.f("held_deletions_run_fkey")),
        sa.ForeignKeyConstraint(["source"], ["inventory.sources.name"], name=op.f("held_deletions_source_fkey")),
        sa.PrimaryKeyConstraint("source", "id", "run", name=op.f("held_deletions_pkey")),
        schema="inventory",
        comment="Deletions withheld by the guard until a person approves them",
    )
    op.create_index(
        "held_deletions_open_key",
        "held_deletions",
        ["source", "id"],
        unique=True,
        schema="inventory",
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "quarantine",
        sa.Column("source", sa.Text(), nullable=False, comment="Source the row belongs to"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="blake2b (16 bytes) of the record"),
        sa.Column("id", sa.Text(), nullable=True, comment="Id the record bears, if that can be read"),
        sa.Column("raw", sa.LargeBinary(), nullable=False, comment="The record, just as the cloud sent it"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why it can't be read as an image"),
        sa.Column("first_run", sa.BigInteger(), nullable=False, comment="Run that met it first"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When that was"),
        sa.ForeignKeyConstraint(["first_run"], ["inventory.runs.run"], name=op.f("quarantine_first_run_fkey")),
        sa.ForeignKeyConstraint(["source"], ["inventory.sources.name"], name=op.f("quarantine_source_fkey")),
        sa.PrimaryKeyConstraint("source", "digest", name=op.f("quarantine_pkey")),
        schema="inventory",
        comment="Records that can't be read as an image, kept raw",
    )
    op.create_table(
        "run_pages",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "page", sa.Integer(), autoincrement=False, nullable=False, comment="In the order the answers came, from 1"
        ),
        sa.Column(
            "reading", sa.Integer(), nullable=False, comment="Which reading; 0 is the one that confirms deletions"
        ),
        sa.Column("row_offset", sa.BigInteger(), nullable=False, comment="Offset asked for"),
        sa.Column("rows", sa.Integer(), nullable=False, comment="Rows that came"),
        sa.Column("first_id", sa.Text(), nullable=True, comment="Id of the first row"),
        sa.Column("last_id", sa.Text(), nullable=True, comment="Id of the last row"),
        sa.Column(
            "anchor_id",
            sa.Text(),
            nullable=True,
            comment="Id of the row that ties the page to the one before it; see docs/proof.md",
        ),
        sa.Column("total", sa.BigInteger(), nullable=True, comment="Number of images by this answer"),
        sa.Column("request_id", sa.Text(), nullable=True, comment="The gateway's id of the request"),
        sa.Column("milliseconds", sa.Integer(), nullable=False, comment="How long the answer took"),
        sa.ForeignKeyConstraint(["run"], ["inventory.runs.run"], name=op.f("run_pages_run_fkey")),
        sa.PrimaryKeyConstraint("run", "page", name=op.f("run_pages_pkey")),
        schema="inventory",
        comment="The evidence of runs that changed something or could not be proven: one row an answer",
    )


def downgrade() -> None:
    """Drop them, and all that is in them."""
    op.drop_table("run_pages", schema="inventory")
    op.drop_table("quarantine", schema="inventory")
    op.drop_index(
        "held_deletions_open_key",
        table_name="held_deletions",
        schema="inventory",
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.drop_table("held_deletions", schema="inventory")
    op.drop_table("findings", schema="inventory")
    op.drop_index(op.f("runs_source_run_idx"), table_name="runs", schema="inventory")
    op.drop_index(
        "runs_source_effective_at_key",
        table_name="runs",
        schema="inventory",
        postgresql_where=sa.text("effective_at IS NOT NULL"),
    )
    op.drop_table("runs", schema="inventory")
    op.drop_table("sources", schema="inventory")
    op.drop_index(
        "images_dead_idx",
        table_name="images",
        schema="inventory",
        postgresql_where=sa.text(
            "deleted_at IS NULL AND (vendor_deleted IS TRUE OR status IS NOT DISTINCT FROM 'deleted')"
        ),
    )
    op.drop_table("images", schema="inventory")
    op.drop_index(op.f("image_versions_source_valid_to_idx"), table_name="image_versions", schema="inventory")
    op.drop_table("image_versions", schema="inventory")
