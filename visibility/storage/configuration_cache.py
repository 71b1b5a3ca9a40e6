"""Cache sources, rules and settings in memory until somebody changes them.

Triggers renew `visibility_configurationversion` when a person changes a source, rule, calendar,
watched vocabulary or the organization. A statement that a batch needs anyway also reads the
version. Outside `use_cached_values_of_version` nothing is cached, and each call loads.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from uuid import UUID

from visibility.models.sources_and_messages import Source

Value = TypeVar("Value")
_known_version: ContextVar[UUID | None] = ContextVar("configuration_version", default=None)
_values: dict[str, tuple[UUID, Any]] = {}


@contextmanager
def use_cached_values_of_version(version: UUID | None) -> Iterator[None]:
    """Use values of this version inside the block. None: load each value whenever it is needed.

    The version must be read before the values: they are then of this version or of a later one, and
    a later one is loaded again by the next batch. The block must not change the configuration.
    """
    token = _known_version.set(version)
    try:
        yield
    finally:
        _known_version.reset(token)


def is_version_known() -> bool:
    """Whether the caller is inside `use_cached_values_of_version` with a version."""
    return _known_version.get() is not None


def load_once_per_configuration_version(name: str, load: Callable[[], Value]) -> Value:
    """Return the value of this name, loaded once for each version. Nobody may change it."""
    version = _known_version.get()
    if version is None:
        return load()
    entry = _values.get(name)
    if entry is None or entry[0] != version:
        entry = _values[name] = version, load()
    value: Value = entry[1]
    return value


def load_all_sources_by_id() -> dict[int, Source]:
    """Return all sources by id. Their polling state may be outdated; their settings are not."""
    return load_once_per_configuration_version(
        "sources", lambda: {source.pk: source for source in Source.objects.all()}
    )
