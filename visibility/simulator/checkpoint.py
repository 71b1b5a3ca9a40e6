"""The checkpoint file: when a run first started and how far it has sent."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from visibility.simulator.faults import FaultRates
from visibility.simulator.generator import DAY, WorldSetting


class CheckpointMismatch(ValueError):
    """The checkpoint file belongs to a run with other options."""


@dataclass
class Checkpoint:
    """How far a run has sent.

    `sent` counts the delivered messages of the past. Every live message that was due before
    `live_until` (seconds since 1970) was delivered.
    """

    path: Path
    setting: WorldSetting
    sent: int
    live_until: float

    @classmethod
    def load_or_create(cls, path: Path, options: dict[str, Any], now: float) -> "Checkpoint":
        """Load the checkpoint, or create one for a run that starts now.

        Raises CheckpointMismatch if the file belongs to a run with other options.
        """
        if not path.is_file():
            started = float(int(now))
            setting = WorldSetting(anchor=started - started % DAY, started=started, **options)
            checkpoint = cls(path, setting, 0, started)
            checkpoint.save()
            return checkpoint
        stored = orjson.loads(path.read_bytes())
        rates = FaultRates(**stored["setting"].pop("rates"))
        setting = WorldSetting(**stored["setting"], rates=rates)
        changed = [name for name, value in options.items() if getattr(setting, name) != value]
        if changed:
            raise CheckpointMismatch(
                f"{path} belongs to a run with a different {', '.join(sorted(changed))}. "
                "Use the same options or start with an empty data folder."
            )
        return cls(path, setting, stored["sent"], stored["live_until"])

    def save(self) -> None:
        """Replace the file atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "setting": asdict(self.setting),
            "sent": self.sent,
            "live_until": self.live_until,
        }
        temporary = self.path.with_suffix(".new")
        temporary.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        os.replace(temporary, self.path)


class OutOfOrderFinishWatermark:
    """Track progress through values that start in ascending order but finish in any order."""

    def __init__(self, done: float) -> None:
        self._latest = done
        self._open: dict[int, float] = {}
        self._next = 0

    @property
    def lowest_unfinished_or_latest_value(self) -> float:
        """Every smaller value has finished."""
        return next(iter(self._open.values()), self._latest)

    def register_value_and_return_ticket(self, value: float) -> int:
        """Register a value and return a ticket for `end()`."""
        ticket, self._next = self._next, self._next + 1
        self._open[ticket] = self._latest = value
        return ticket

    def finish_value(self, ticket: int) -> None:
        """Mark the value of this ticket as finished."""
        del self._open[ticket]
