"""What analysts ask: views and functions, the indexes they need, and a record of what was pruned."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parents[1] / "sql" / revision
# Runs that saw all of their list, and withheld nothing.
COMPLETE = "effective_at IS NOT NULL AND proven AND kept = 0 AND held = 0 AND quarantined = 0"
# In the order in which they are made; each stands in a file of its name.
NAMES = (
    *("image_history", "live_images", "deleted_images"),
    *("instant", "changed_fields", "field_text", "image_changes", "exposure_changes", "flapping_images"),
    *("observed", "images_as_of", "images_diff", "run_diff"),
    *("freshness", "daily_counts"),
    "column_comments",
)


def upgrade() -> None:
    """Make them."""
    op.create_index(
        "image_versions_source_valid_from_idx", "image_versions", ["source", "valid_from"], schema="inventory"
    )
    op.create_index(
        "runs_complete_idx", "runs", ["source", "effective_at"], schema="inventory", postgresql_where=sa.text(COMPLETE)
    )
    op.add_column(
        "sources",
        sa.Column(
            "pruned_before",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="History before this moment was removed; NULL: all is there",
        ),
        schema="inventory",
    )
    op.create_table(
        "prunings",
        sa.Column("pruning", sa.BigInteger(), sa.Identity(), nullable=False, comment="Number of the pruning"),
        sa.Column("source", sa.Text(), nullable=False, comment="Source the row belongs to"),
        sa.Column(
            "pruned_before", sa.DateTime(timezone=True), nullable=False, comment="History before this was removed"
        ),
        sa.Column("versions", sa.BigInteger(), nullable=False, comment="Versions removed: they had ended by then"),
        sa.Column(
            "pages",
            sa.BigInteger(),
            nullable=False,
            comment="Rows of evidence removed: of runs that took effect by then",
        ),
        sa.Column(
            "pruned_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When that was done",
        ),
        sa.Column("pruned_by", sa.Text(), nullable=False, comment="Who did it"),
        sa.ForeignKeyConstraint(["source"], ["inventory.sources.name"], name="prunings_source_fkey"),
        sa.PrimaryKeyConstraint("pruning", name="prunings_pkey"),
        schema="inventory",
        comment="What was removed from the history, when and by whom",
    )
    for name in NAMES:
        op.execute(FOLDER.joinpath(f"{name}.sql").read_text(encoding="utf-8").rstrip().removesuffix(";"))


def downgrade() -> None:
    """Take them away again; no image and no version is touched."""
    op.execute(
        """
        DROP VIEW inventory.daily_counts, inventory.freshness, inventory.flapping_images, inventory.exposure_changes,
                  inventory.image_changes, inventory.deleted_images, inventory.live_images;
        DROP FUNCTION inventory.run_diff, inventory.images_diff, inventory.images_as_of, inventory.observed,
                      inventory.field_text, inventory.changed_fields, inventory.instant;
        DROP VIEW inventory.image_history
        """
    )
    op.drop_table("prunings", schema="inventory")
    op.drop_column("sources", "pruned_before", schema="inventory")
    op.drop_index("runs_complete_idx", "runs", schema="inventory")
    op.drop_index("image_versions_source_valid_from_idx", "image_versions", schema="inventory")
