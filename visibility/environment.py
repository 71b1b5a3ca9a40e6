"""Read typed values from the environment.

`NAME_FILE` may name a file that contains the value of `NAME`. An invalid value raises `SystemExit`.
"""

import os
from pathlib import Path


def env_text_or_file_content(name: str, *, default: str) -> str:
    """The value of `name`, or the content of the file in `name_FILE`, or `default`."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise SystemExit(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
    return os.environ.get(name, default)


def env_integer(name: str, *, default: int) -> int:
    """The value of `name` as an integer."""
    value = env_text_or_file_content(name, default=str(default))
    try:
        return int(value)
    except ValueError:
        raise SystemExit(f"{name} must be a whole number, not {value!r}") from None


def env_boolean(name: str, *, default: bool) -> bool:
    """The value of `name` as a boolean: `1 true yes on` or `0 false no off`."""
    value = env_text_or_file_content(name, default=str(default)).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise SystemExit(f"{name} must be true or false, not {value!r}")


def env_list(name: str, *, default: str) -> list[str]:
    """The value of `name` as a list, separated by commas."""
    return [
        item.strip()
        for item in env_text_or_file_content(name, default=default).split(",")
        if item.strip()
    ]
