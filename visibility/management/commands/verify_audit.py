"""`manage.py verify_audit`: verify the hash chain and the sealed end of the audit log."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.models import AuditEntry, AuditHead, audit


class Command(BaseCommand):
    """Print the number of entries, of breaks and the head as JSON; fail if there are breaks."""

    help = "Verify that no entry of the audit log was changed or deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--expect-head",
            default="",
            metavar="DIGEST",
            help="a head that an earlier run printed; it must still be an entry of the log",
        )
        parser.add_argument(
            "--reseal",
            action="store_true",
            help="accept the log as it is, for example after SECRET_KEY was changed; this is "
            "recorded in the log",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["reseal"]:
            audit.reseal_audit_head(database_now())
        violations = list(audit.find_audit_violations())
        expected = options["expect_head"]
        if expected and not AuditEntry.objects.filter(digest=expected).exists():
            violations.append(f"the entry {expected} is missing")
        head = AuditHead.objects.first()
        counts = {
            "entries": AuditEntry.objects.count(),
            "broken": len(violations),
            "head": head.digest if head else "",
        }
        self.stdout.write(json.dumps(counts))
        if violations:
            raise CommandError("\n".join(violations[:20]))
