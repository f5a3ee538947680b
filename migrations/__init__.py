"""Database migrations (Alembic). They import nothing of the application."""
