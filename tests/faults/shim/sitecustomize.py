"""Loaded by every Python of a test installation: a clock that lies, and defects put in on purpose.

FAULT_CLOCK names a file with the seconds to add to this process's clock, read again at each look.
FAULT_PATCH lists `module:NAME=value` with whole numbers, set when the module has been imported.
FAULT_IDLE: after how long a session that does nothing in a transaction is ended, such as 6s.
FAULT_POISON: a message whose body has these words kills the process that reads it; if they begin
with "endless", reading it never ends and holds the interpreter meanwhile.
"""

import builtins
import datetime
import importlib.abc
import importlib.machinery
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import ModuleType

_true_time = time.time


def _shift() -> float:
    try:
        with builtins.open(os.environ["FAULT_CLOCK"]) as file:
            return float(file.read() or 0)
    except (OSError, ValueError):
        return 0.0


class _Liar(datetime.datetime):
    """A datetime whose `now` is shifted like `time.time`."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Liar":
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> "_Liar":
        return cls.now(datetime.UTC).replace(tzinfo=None)


def _shift_clock() -> None:
    time.time = lambda: _true_time() + _shift()
    datetime.datetime = _Liar  # type: ignore[misc]  # the whole point


def _poison(normalise: ModuleType, words: bytes) -> None:
    read: Callable[..., object] = normalise.read

    def deadly(raw: "normalise.Raw", source: object) -> object:  # type: ignore[name-defined]
        if words in raw.body and words.startswith(b"endless"):
            re.match(r"(a+)+$", "a" * 100 + "b")
        elif words in raw.body:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(raw, source)

    normalise.read = deadly  # type: ignore[attr-defined]


def _end_idlers(settings: ModuleType, idle: str) -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    name = "idle_in_transaction_session_timeout"
    options["options"] += f" -c {name}={idle}"


def _setter(name: str, value: int) -> Callable[[ModuleType], None]:
    return lambda module: setattr(module, name, value)


def _patches() -> dict[str, list[Callable[[ModuleType], None]]]:
    found: dict[str, list[Callable[[ModuleType], None]]] = {}
    for text in filter(None, os.environ.get("FAULT_PATCH", "").split(",")):
        module, _, rest = text.partition(":")
        name, _, value = rest.partition("=")
        found.setdefault(module, []).append(_setter(name, int(value)))
    idle = os.environ.get("FAULT_IDLE", "")
    if idle:
        found.setdefault("visibility.settings", []).append(lambda m: _end_idlers(m, idle))
    words = os.environ.get("FAULT_POISON", "").encode()
    if words:
        found.setdefault("visibility.ingest.parse", []).append(lambda m: _poison(m, words))
    return found


class _Finder(importlib.abc.MetaPathFinder):
    """Runs the patches of a module right after its own code."""

    def __init__(self, patches: dict[str, list[Callable[[ModuleType], None]]]) -> None:
        self._patches = patches

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        todo = self._patches.get(fullname)
        if not todo:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        loader = spec.loader
        own = loader.exec_module

        def patched(module: ModuleType) -> None:
            own(module)
            for patch in todo:
                patch(module)

        loader.exec_module = patched  # type: ignore[method-assign]
        return spec


if os.environ.get("FAULT_CLOCK"):
    _shift_clock()
if any(os.environ.get(f"FAULT_{name}") for name in ("PATCH", "POISON", "IDLE")):
    sys.meta_path.insert(0, _Finder(_patches()))
