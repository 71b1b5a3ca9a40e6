"""`manage.py verify_audit`: verify the hash chain of the audit log."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.models import AuditEntry, audit


class Command(BaseCommand):
    """Print the number of entries and of breaks as JSON; fail if the chain is broken."""

    help = "Verify that no entry of the audit log was changed or deleted."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = audit.broken_entry_ids()
        self.stdout.write(
            json.dumps({"entries": AuditEntry.objects.count(), "broken": len(broken)})
        )
        if broken:
            raise CommandError(
                f"An entry was changed or deleted before these entries: {broken[:20]}"
            )
