"""`manage.py application_role`: let the product work as an ordinary database role.

Run it as the owner of the database after each `migrate`; `manage.py up` does the same by itself.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from psycopg import sql

from visibility.environment import env_text_or_file_content
from visibility.launcher.application_role import (
    APPLICATION_ROLE,
    SET_PASSWORD,
    create_or_restrict_role,
    hand_over_tables_and_functions,
)


class Command(BaseCommand):
    """Create the role with the password in APPLICATION_PASSWORD, and hand over the tables."""

    help = f"Create the role {APPLICATION_ROLE}, and make it the owner of all but the audit log."

    def handle(self, *args: Any, **options: Any) -> None:
        password = env_text_or_file_content("APPLICATION_PASSWORD", default="")
        if not password:
            raise CommandError("Set APPLICATION_PASSWORD to the password that the role shall have.")
        with transaction.atomic(), connection.cursor() as cursor:
            create_or_restrict_role(cursor)
            cursor.execute(SET_PASSWORD.format(sql.Literal(password)))
            hand_over_tables_and_functions(cursor)
        self.stdout.write(f"{APPLICATION_ROLE} owns all tables except the audit log")
