"""One thing that is wrong with a batch (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from visibility.sla.batch_schedule import ArrivedBatch

MAX_NAME = 80


class BatchFindingKind(StrEnum):
    """What is wrong; also the code of the rule that alerts on it."""

    LATE = "batch_late"
    EMPTY = "batch_empty"
    SHORT = "batch_short"
    DOUBLED = "batch_doubled"
    OUT_OF_ORDER = "batch_out_of_order"


BATCH_FINDING_LABELS: Mapping[BatchFindingKind, str] = {
    BatchFindingKind.LATE: "Late",
    BatchFindingKind.EMPTY: "Empty",
    BatchFindingKind.SHORT: "Short",
    BatchFindingKind.DOUBLED: "Doubled",
    BatchFindingKind.OUT_OF_ORDER: "Out of order",
}


@dataclass(frozen=True, slots=True)
class RepeatedFile:
    """A file, or another message, with the content of an earlier message."""

    id: int
    message_id: int
    received_at: datetime
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class BatchFinding:
    """One thing that is wrong. `key` identifies it among those of its kind and source.

    `text` follows the name of the batch in a sentence. `message_id`: of the batch; None if there is
    none.
    """

    kind: BatchFindingKind
    key: str
    at: datetime
    name: str
    text: str
    message_id: int | None = None
    expected_at: datetime | None = None

    def title(self, source: str) -> str:
        """The title of its alert."""
        return f"{self.name[:MAX_NAME]} from {source} {self.text}"


def build_finding(
    kind: BatchFindingKind, batch: ArrivedBatch, text: str, name: str = ""
) -> BatchFinding:
    """Build the finding about a batch that arrived."""
    key = str(batch.message_id)
    return BatchFinding(kind, key, batch.received_at, name or batch.name, text, batch.message_id)
