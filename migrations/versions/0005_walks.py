"""Which folders the last walk could not list, and on which roots inode numbers mean nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a column, which trusts the numbers of every earlier root, and a table."""
    op.add_column("root", sa.Column("numberless", sa.Boolean, nullable=False, server_default="0"))
    op.create_table(
        "unlisted",
        sa.Column("root_id", sa.Integer, sa.ForeignKey("root.id"), nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("root_id", "path"),
    )
