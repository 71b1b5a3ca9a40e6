"""Where a run stands: the first start and how far the sending came, in one small file."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from visibility.simulator.faults import Rates
from visibility.simulator.generator import DAY, Setting


class OtherRun(ValueError):
    """The file belongs to a run with other options."""


@dataclass
class Mark:
    """`sent`: messages of the past that arrived; `live_until`: all told up to then arrived."""

    path: Path
    setting: Setting
    sent: int
    live_until: float

    @classmethod
    def load(cls, path: Path, options: dict[str, Any], now: float) -> "Mark":
        """The run of this file, or a new one that begins now. Raises OtherRun."""
        if not path.is_file():
            begun = float(int(now))
            setting = Setting(anchor=begun - begun % DAY, started=begun, **options)
            mark = cls(path, setting, 0, begun)
            mark.save()
            return mark
        kept = orjson.loads(path.read_bytes())
        rates = Rates(**kept["setting"].pop("rates"))
        setting = Setting(**kept["setting"], rates=rates)
        other = [name for name, value in options.items() if getattr(setting, name) != value]
        if other:
            raise OtherRun(
                f"{path} belongs to a run with another {', '.join(sorted(other))}: "
                "give the same options, or begin with a fresh data folder."
            )
        return cls(path, setting, kept["sent"], kept["live_until"])

    def save(self) -> None:
        """Write it whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = {
            "setting": asdict(self.setting),
            "sent": self.sent,
            "live_until": self.live_until,
        }
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(text, option=orjson.OPT_INDENT_2))
        os.replace(fresh, self.path)


class Watermark:
    """How far everything is done when things end out of order; values never fall."""

    def __init__(self, done: float) -> None:
        self._latest = done
        self._open: dict[int, float] = {}
        self._next = 0

    @property
    def done(self) -> float:
        """Everything with a smaller value is done."""
        return next(iter(self._open.values()), self._latest)

    def begin(self, value: float) -> int:
        """Something with this value begins. Its ticket."""
        ticket, self._next = self._next, self._next + 1
        self._open[ticket] = self._latest = value
        return ticket

    def end(self, ticket: int) -> None:
        """It is done."""
        del self._open[ticket]
