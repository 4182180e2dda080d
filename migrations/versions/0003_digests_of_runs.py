"""Digests of runs, how long the cloud had them wait, and how far readers of reports have come."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parents[1] / "sql" / revision
COLUMNS = (
    sa.Column(
        "ignored",
        sa.Text(),
        server_default="",
        nullable=False,
        comment="API fields whose change alone made no version in it, by name, with commas between",
    ),
    sa.Column(
        "throttled_ms",
        sa.BigInteger(),
        server_default=sa.text("0"),
        nullable=False,
        comment="Milliseconds that the cloud had it wait",
    ),
    sa.Column("changes_digest", sa.LargeBinary(), nullable=True, comment="SHA-256 of what it changed"),
    sa.Column(
        "digest",
        sa.LargeBinary(),
        nullable=True,
        comment="SHA-256 of that, of this row, and of the digest of the committed run before it; see docs/evidence.md",
    ),
)


def upgrade() -> None:
    """Add them; runs that committed before bear none."""
    for column in COLUMNS:
        op.add_column("runs", column, schema="inventory")
    op.create_table(
        "report_readers",
        sa.Column("name", sa.Text(), nullable=False, comment="Name that the reader gave"),
        sa.Column("source", sa.Text(), nullable=False, comment="Source the reports are about; empty is all of them"),
        sa.Column("read_to", sa.DateTime(timezone=True), nullable=False, comment="Moment that the last report went to"),
        sa.Column(
            "read_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When that was made",
        ),
        sa.PrimaryKeyConstraint("name", "source", name="report_readers_pkey"),
        schema="inventory",
        comment="Where readers of reports stopped, for `report --since-last`",
    )
    _execute(FOLDER / "run_digest.sql")
    _execute(FOLDER / "freshness.sql")  # names the columns it takes of runs, so that it knows none of these


def downgrade() -> None:
    """Take them away again; no image and no version is touched."""
    op.execute("DROP FUNCTION inventory.run_digest")
    op.drop_table("report_readers", schema="inventory")
    for column in COLUMNS:
        op.drop_column("runs", str(column.name), schema="inventory")
    _execute(FOLDER.parent / "0002" / "freshness.sql")


def _execute(file: Path) -> None:
    text = file.read_text(encoding="utf-8").rstrip().removesuffix(";")
    op.execute(text.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
