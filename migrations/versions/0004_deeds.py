"""What the journal says of links, sidecars and rewritten texts, and a name for the index that plans are made for."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add columns, which say of every earlier move that it was one into the quarantine, and a table."""
    op.add_column("journal", sa.Column("action", sa.Text, nullable=False, server_default="quarantine"))
    op.add_column("journal", sa.Column("base", sa.String))
    op.add_column("journal", sa.Column("owner_id", sa.Integer))
    op.add_column("journal", sa.Column("extra", sa.Text, nullable=False, server_default="{}"))
    table = op.create_table("identity", sa.Column("name", sa.Text, primary_key=True))
    op.bulk_insert(table, [{"name": uuid.uuid4().hex}])
