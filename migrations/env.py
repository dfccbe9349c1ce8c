"""Runs the migrations inside the transaction that the caller has opened, so that all of them happen or none."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
