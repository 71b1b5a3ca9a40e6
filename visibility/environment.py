"""Typed readers of the environment; `NAME_FILE` names a file that holds the value."""

import os
from pathlib import Path


def text(name: str, *, default: str) -> str:
    """The value of `name`, or the content of the file named by `name_FILE`."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise SystemExit(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
    return os.environ.get(name, default)


def integer(name: str, *, default: int) -> int:
    """A whole number."""
    value = text(name, default=str(default))
    try:
        return int(value)
    except ValueError:
        raise SystemExit(f"{name} must be a whole number, not {value!r}") from None


def boolean(name: str, *, default: bool) -> bool:
    """`1 true yes on` or `0 false no off`."""
    value = text(name, default=str(default)).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise SystemExit(f"{name} must be true or false, not {value!r}")


def items(name: str, *, default: str) -> list[str]:
    """A list, separated by commas."""
    return [item.strip() for item in text(name, default=default).split(",") if item.strip()]
