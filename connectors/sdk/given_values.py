"""Read the values that a form or a request gives, each with a reader of its own."""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sdk.settings import SettingError


def read_given_values(
    values: Mapping[str, object], readers: Mapping[str, Callable[[Any], Any]]
) -> tuple[dict[str, Any], list[SettingError]]:
    """Return what was read, by name, and the errors, both in the order of the readers.

    A value that is not given is not read. A reader raises ValueError with a sentence for people.
    """
    read: dict[str, Any] = {}
    errors: list[SettingError] = []
    for name, reader in readers.items():
        if name in values:
            try:
                read[name] = reader(values[name])
            except ValueError as error:
                errors.append(SettingError(name, str(error)))
    return read, errors
