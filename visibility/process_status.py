"""The status of the supervised processes: a file that the supervisor writes and pages read."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "processes.json"


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process. Times are seconds of `time.monotonic`, which all processes of a machine share.

    `exits`: exits in a row, 0 once it has run for a while. `failing_since`: the first of them.
    `next_start_at`: when a process that does not run is started again.
    """

    name: str
    exits: int = 0
    exit_code: int = 0
    failing_since: float | None = None
    next_start_at: float | None = None


def serialize_statuses(statuses: Iterable[ProcessStatus]) -> str:
    """The content of the file."""
    return json.dumps([asdict(status) for status in statuses])


def read_process_statuses(data: Path) -> list[ProcessStatus]:
    """The status of each process; empty if no supervisor runs on this data folder."""
    try:
        content = (data / "run" / FILE_NAME).read_text()
    except FileNotFoundError:
        return []
    return [ProcessStatus(**row) for row in json.loads(content)]
