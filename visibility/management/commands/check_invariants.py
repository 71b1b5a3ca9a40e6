"""manage.py check_invariants: prove on the live system what must always hold."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.operations.invariants import CHECKS


class Command(BaseCommand):
    """Prints what each check found as JSON; exits non-zero if anything is broken."""

    help = "Check what must always hold on the running system."

    def handle(self, *args: Any, **options: Any) -> None:
        found = {name: check() for name, check in CHECKS.items()}
        self.stdout.write(json.dumps({name: len(broken) for name, broken in found.items()}))
        broken = [sentence for sentences in found.values() for sentence in sentences]
        if broken:
            raise CommandError("\n".join(broken[:50]))
