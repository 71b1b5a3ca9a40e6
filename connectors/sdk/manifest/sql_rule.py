"""`receive.sql`: which view of a database is polled, and how its rows become messages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from connectors.sdk.manifest.paths import Template

# Names without quotes of every database; a view may have a schema.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]{0,127}")


@dataclass(frozen=True, slots=True)
class SqlRule:
    """The SQL door. `database` has the templates of host, port, name, user and password."""

    every: timedelta
    kind: str
    database: Mapping[str, Template]
    view: Template
    watermark: str
    key: tuple[str, ...]
    columns: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    record_key: Template | None = None
    size: int = 500
    # A duration for a time, a number for a number.
    overlap: timedelta | int = 0
    start: str = ""

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that order the rows: the watermark, then the key."""
        return (self.watermark, *(name for name in self.key if name != self.watermark))
