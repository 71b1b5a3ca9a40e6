"""manage.py verify_audit: is the audit's chain whole?"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.models import AuditEntry, audit


class Command(BaseCommand):
    """Exits non-zero if an entry was altered or is missing."""

    help = "Verify the hash chain of the audit."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = audit.broken()
        self.stdout.write(
            json.dumps({"entries": AuditEntry.objects.count(), "broken": len(broken)})
        )
        if broken:
            raise CommandError(f"altered or missing before entries {broken[:20]}")
