"""`manage.py check_invariants`: check the invariants of the stored data."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.operations.invariants import CHECKS


class Command(BaseCommand):
    """Print the number of violations per check as JSON; fail if there are any."""

    help = "Check the invariants of the stored data. Safe on a running system."

    def handle(self, *args: Any, **options: Any) -> None:
        violations = {name: check() for name, check in CHECKS.items()}
        self.stdout.write(json.dumps({name: len(broken) for name, broken in violations.items()}))
        broken = [sentence for sentences in violations.values() for sentence in sentences]
        if broken:
            raise CommandError("\n".join(broken[:50]))
