"""What people chose in a review: which file stays, and what becomes of each other one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "choice",
        sa.Column("path", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("keeper", sa.String, nullable=False),
        sa.Column("keeper_digest", sa.LargeBinary, nullable=False),
        sa.Column("fate", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("decided_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
