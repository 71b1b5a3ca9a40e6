"""Read typed values from the environment.

`NAME_FILE` may name a file that contains the value of `NAME`. An invalid value raises `SystemExit`.
"""

import os
from pathlib import Path

MIN_KEY_LENGTH = 32


def env_text_or_file_content(name: str, *, default: str) -> str:
    """The value of `name`, or the content of the file in `name_FILE`, or `default`."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise SystemExit(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
    return os.environ.get(name, default)


def env_secret_keys(name: str, *, default_file: Path, newest: str) -> list[str]:
    """The keys in `name`, separated by commas, or those in a file, one in each line.

    The file is that in `name_FILE`, or `default_file` if neither is set. `newest` is left out.
    """
    if name in os.environ and f"{name}_FILE" not in os.environ:
        items = os.environ[name].split(",")
    else:
        default = default_file.read_text() if default_file.is_file() else ""
        items = env_text_or_file_content(name, default=default).splitlines()
    keys = dict.fromkeys(item.strip() for item in items if item.strip())
    keys.pop(newest, None)
    if any(len(key) < MIN_KEY_LENGTH for key in keys):
        raise SystemExit(f"{name}: a key is shorter than {MIN_KEY_LENGTH} characters.")
    return list(keys)


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
