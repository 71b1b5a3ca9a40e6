"""`manage.py simulate`: simulate a distributor's systems, which send webhooks to the product."""

import asyncio
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from visibility.simulator import read_setup_file
from visibility.simulator.checkpoint import Checkpoint, CheckpointMismatch
from visibility.simulator.faults import FaultRates
from visibility.simulator.send_past_then_live import SimulationRun


class Command(BaseCommand):
    """Run the simulator. It only uses HTTP, not the database, and resumes after a restart."""

    help = "Simulate a mid-size distributor: its history first, then (--live) in real time."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        data = Path(settings.DATA_DIR)
        parser.add_argument("--days", type=int, default=90, help="days of history (90)")
        parser.add_argument(
            "--orders-per-day", type=float, default=24, help="orders per business day (24)"
        )
        parser.add_argument(
            "--seed", type=int, default=7, help="random seed; the same seed gives the same data (7)"
        )
        parser.add_argument("--live", action="store_true", help="continue until stopped")
        parser.add_argument(
            "--speed",
            type=float,
            default=125,
            help="multiplier of --orders-per-day for live orders (125)",
        )
        parser.add_argument("--key", type=Path, default=data / "answer-key.jsonl", metavar="FILE")
        parser.add_argument(
            "--setup", type=Path, default=data / "run" / "demo.json", metavar="FILE"
        )
        parser.add_argument(
            "--faults",
            default="",
            help="name=rate,... overrides default fault rates; 0 turns a fault off",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["orders_per_day"] * options["speed"] <= 1_000_000:
            raise CommandError(
                "--orders-per-day times --speed must be more than 0 and at most 1000000."
            )
        if not 0 < options["days"] <= 1000:
            raise CommandError("--days must be from 1 to 1000.")
        try:
            demo_setup = read_setup_file.load_setup(options["setup"])
            run_options = {
                "seed": options["seed"],
                "days": options["days"],
                "per_day": options["orders_per_day"],
                "speed": options["speed"],
                "rates": FaultRates.parse(options["faults"]),
            }
            path = Path(settings.DATA_DIR) / "run" / "simulator.json"
            checkpoint = Checkpoint.load_or_create(path, run_options, time.time())
        except (read_setup_file.SetupError, CheckpointMismatch, ValueError) as error:
            raise CommandError(str(error)) from None
        asyncio.run(self._run_simulation(demo_setup, checkpoint, options))

    async def _run_simulation(
        self,
        demo_setup: read_setup_file.SimulatorSetup,
        checkpoint: Checkpoint,
        options: dict[str, Any],
    ) -> None:
        run = SimulationRun(demo_setup, checkpoint, options["key"], self._print_line_and_flush)
        await run.run(live=options["live"])

    def _print_line_and_flush(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
