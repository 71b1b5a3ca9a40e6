"""Record which members of a document a connector reads, also those that the document lacks.

They are what the connector expects of the sender. While `record_reads` is active, JSON documents,
XML documents and rows of tables consist of objects that record each access. Otherwise nothing
changes, and it costs one look-up per document.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from connectors.sdk.shown_names import shown_names

MAX_READ_PATHS = 1_000
_reads: ContextVar[set[str] | None] = ContextVar("reads", default=None)


class RecordingMembers(dict[str, Any]):
    """An object of a document that records the paths of the members that are read."""

    __slots__ = ("_path", "_recorded")

    def record_in(self, recorded: set[str], path: str) -> None:
        """Record reads in this set from now on; `path` is that of the object."""
        self._recorded, self._path = recorded, path

    def _record(self, name: object) -> None:
        if isinstance(name, str) and len(self._recorded) < MAX_READ_PATHS:
            # The text of an XML element has the path of the element.
            path = self._path if name == "#text" else member_path(self._path, name)
            self._recorded.add(path[:200])

    def get(self, name: Any, default: Any = None) -> Any:
        """Return a member, and record that it was read."""
        self._record(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self._record(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._record(name)
        return super().__contains__(name)


@contextmanager
def record_reads() -> Iterator[set[str]]:
    """Record reads of documents that are loaded inside; the set fills up while they are read."""
    recorded: set[str] = set()
    token = _reads.set(recorded)
    try:
        yield recorded
    finally:
        _reads.reset(token)


def recording(value: Any, element_type: type[dict[str, Any]] = RecordingMembers) -> Any:
    """Return the document, with objects that record reads if that is active."""
    recorded = _reads.get()
    return value if recorded is None else _recording(value, "", recorded, element_type)


def _recording(
    value: Any, path: str, recorded: set[str], element_type: type[dict[str, Any]]
) -> Any:
    if isinstance(value, list):
        return [_recording(each, f"{path}[]", recorded, element_type) for each in value]
    if not isinstance(value, dict):
        return value
    members = element_type(
        (name, _recording(each, member_path(path, name), recorded, element_type))
        for name, each in value.items()
    )
    assert isinstance(members, RecordingMembers)  # its subclasses differ in their type only
    members.record_in(recorded, path)
    return members


def recording_object(members: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the document that records its own reads, but not those inside of it."""
    recorded = _reads.get()
    if recorded is None:
        return members
    result = RecordingMembers(members)
    result.record_in(recorded, "")
    return result


def member_path(path: str, name: str) -> str:
    """The path of a member, as in the shape of a message."""
    shown = shown_names[name]
    return f"{path}.{shown}" if path else shown
