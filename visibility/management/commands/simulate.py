"""manage.py simulate: a distributor's systems, told to the product through its own front door."""

import asyncio
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from visibility.simulator import setup
from visibility.simulator.checkpoint import Mark, OtherRun
from visibility.simulator.faults import Rates
from visibility.simulator.run import Run


class Command(BaseCommand):
    """Needs no database: it speaks HTTP alone. Started again, it goes on where it was."""

    help = "Play a mid-size distributor: its past at once, then (--live) as time goes on."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        data = Path(settings.DATA_DIR)
        parser.add_argument("--days", type=int, default=90, help="days of history (90)")
        parser.add_argument(
            "--orders-per-day", type=float, default=24, help="of a business day (24)"
        )
        parser.add_argument("--seed", type=int, default=7, help="the same seed, the same world (7)")
        parser.add_argument("--live", action="store_true", help="go on until stopped")
        parser.add_argument(
            "--speed", type=float, default=125, help="live orders: times orders-per-day (125)"
        )
        parser.add_argument("--key", type=Path, default=data / "answer-key.jsonl", metavar="FILE")
        parser.add_argument(
            "--setup", type=Path, default=data / "run" / "demo.json", metavar="FILE"
        )
        parser.add_argument(
            "--faults", default="", help="name=rate,... over the defaults; a rate of 0 is none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it."""
        if not 0 < options["orders_per_day"] * options["speed"] <= 1_000_000:
            raise CommandError("--orders-per-day and --speed: more than nothing, at most 1000000.")
        if not 0 < options["days"] <= 1000:
            raise CommandError("--days: from 1 to 1000.")
        try:
            found = setup.read(options["setup"])
            chosen = {
                "seed": options["seed"],
                "days": options["days"],
                "per_day": options["orders_per_day"],
                "speed": options["speed"],
                "rates": Rates.read(options["faults"]),
            }
            path = Path(settings.DATA_DIR) / "run" / "simulator.json"
            mark = Mark.load(path, chosen, time.time())
        except (setup.NoSetup, OtherRun, ValueError) as error:
            raise CommandError(str(error)) from None
        asyncio.run(self._run(found, mark, options))

    async def _run(self, found: setup.Setup, mark: Mark, options: dict[str, Any]) -> None:
        run = Run(found, mark, options["key"], self._say)
        await run.run(live=options["live"])

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
