"""What is wrong with a manifest: file, line, path and a sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The position of a value: keys and indexes from the top of the file.
Position = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """One problem. `line` counts from 1; 0 is the file as a unit."""

    path: str
    line: int
    sentence: str
    file: str = ""

    def __str__(self) -> str:
        location = ":".join(filter(None, (self.file, str(self.line) if self.line else "")))
        return " ".join(filter(None, (f"{location}:" if location else "", self.path, "-"))) + (
            f" {self.sentence}"
        )


class InvalidManifest(ValueError):
    """A manifest has problems."""

    def __init__(self, problems: Iterable[ManifestProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def format_position(position: Position) -> str:
    """Format a position for people: `events[0].at`."""
    text = ""
    for step in position:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def nearest_line(lines: Mapping[Position, int], position: Position) -> int:
    """Return the line of a position, or of the nearest value that contains it."""
    while position and position not in lines:
        position = position[:-1]
    return lines.get(position, 0)
