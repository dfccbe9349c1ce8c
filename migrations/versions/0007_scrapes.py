"""What each scrape brought, under which name, and what was rejected for good."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add two columns and two tables."""
    op.add_column("run", sa.Column("label", sa.Text))
    op.add_column("content", sa.Column("admitted", sa.Boolean, nullable=False, server_default="0"))
    op.add_column("content", sa.Column("claimed", sa.Boolean, nullable=False, server_default="0"))
    op.create_index("content_claimed", "content", ["id"], sqlite_where=sa.text("claimed = 1"))
    op.create_table(
        "arrival",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content_id", sa.Integer),
        sa.Column("file_id", sa.Integer),
        sa.Column("outcome", sa.Text),
        sa.Column("known_id", sa.Integer),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"]),
        sa.ForeignKeyConstraint(["known_id"], ["content.id"]),
    )
    op.create_index("arrival_run", "arrival", ["run_id"])
    op.create_index("arrival_content", "arrival", ["content_id"])
    op.create_index("arrival_due", "arrival", ["id"], sqlite_where=sa.text("outcome IS NULL"))
    op.create_table(
        "rejected",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("rejected_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
