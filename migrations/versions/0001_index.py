"""The index: roots, folders, files, contents, thumbnails and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "root",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("path", sa.String, nullable=False, unique=True),
    )
    op.create_table(
        "folder",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("root_id", sa.Integer, sa.ForeignKey("root.id"), nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("listing", sa.LargeBinary),
        sa.UniqueConstraint("root_id", "path", name="folder_path"),
    )
    op.create_table(
        "recipe",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "content",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("recipe_id", sa.Integer, sa.ForeignKey("recipe.id"), nullable=False),
        sa.Column("unreadable", sa.Text),
        sa.Column("dhash", sa.BigInteger),
        sa.Column("phash", sa.LargeBinary),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("format", sa.Text),
        sa.Column("mode", sa.Text),
        sa.Column("detail", sa.Float),
    )
    op.create_index("content_dhash", "content", ["dhash"])
    op.create_index("content_known", "content", ["recipe_id", "size"])
    op.create_table(
        "thumbnail",
        sa.Column("content_id", sa.Integer, sa.ForeignKey("content.id"), primary_key=True),
        sa.Column("jpeg", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "file",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("folder_id", sa.Integer, sa.ForeignKey("folder.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("ctime_ns", sa.BigInteger, nullable=False),
        sa.Column("inode", sa.BigInteger, nullable=False),
        sa.Column("born_ns", sa.BigInteger),
        sa.Column("unsettled", sa.Boolean, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("content_id", sa.Integer, sa.ForeignKey("content.id")),
        sa.Column("reason", sa.Text),
        sa.UniqueConstraint("folder_id", "name", name="file_name"),
    )
    op.create_index("file_content", "file", ["content_id"])
    op.create_index("file_due", "file", ["id"], sqlite_where=sa.text("state = 0"))
    op.create_index("file_unreadable", "file", ["id"], sqlite_where=sa.text("state = 2"))
    op.create_index("file_other", "file", ["id"], sqlite_where=sa.text("state = 3"))
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("started_ns", sa.BigInteger, nullable=False),
        sa.Column("finished_ns", sa.BigInteger),
        sa.Column("counts", sa.Text, nullable=False),
    )
