"""PostgreSQL for the suite that kills workers."""

from tests.integration.conftest import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]
