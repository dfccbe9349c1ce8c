"""Matches between contents, people's judgements on them, and what matching needs of each content."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns, which the next `index` fills, and tables."""
    op.add_column("content", sa.Column("views", sa.LargeBinary))
    op.add_column("content", sa.Column("look", sa.LargeBinary))
    # Alembic adds no column with a reference: it takes that for a constraint, which SQLite cannot add.
    op.execute("ALTER TABLE content ADD COLUMN matched INTEGER REFERENCES recipe (id)")
    op.create_index("content_look", "content", ["look"])
    op.create_index("content_unmatched", "content", ["id"], sqlite_where=sa.text("matched IS NULL"))
    op.create_table(
        "match",
        sa.Column("a_id", sa.Integer, sa.ForeignKey("content.id"), primary_key=True),
        sa.Column("b_id", sa.Integer, sa.ForeignKey("content.id"), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("bits", sa.Integer, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("structure", sa.Float, nullable=False),
        sa.Column("colour", sa.Float, nullable=False),
        sa.Column("agreement", sa.Float, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
    )
    op.create_index("match_b", "match", ["b_id"])
    op.create_table(
        "decision",
        sa.Column("a_digest", sa.LargeBinary, primary_key=True),
        sa.Column("b_digest", sa.LargeBinary, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("decided_ns", sa.BigInteger, nullable=False),
    )
