"""Loaded by every Python process of a test installation: shifts the clock and injects defects.

FAULT_CLOCK: a file with the seconds to add to the clock, read at each access.
FAULT_PATCH: a list of `module:NAME=value` with integers, set after the module was imported.
FAULT_IDLE: idle_in_transaction_session_timeout of the database sessions, such as 6s.
FAULT_POISON: a message whose body contains this text kills the process that reads it. If the text
starts with "endless", reading the message never ends and holds the GIL.
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


class _ShiftedDatetime(datetime.datetime):
    """A datetime whose `now` is shifted like `time.time`."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_ShiftedDatetime":
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> "_ShiftedDatetime":
        return cls.now(datetime.UTC).replace(tzinfo=None)


def _shift_clock() -> None:
    time.time = lambda: _true_time() + _shift()
    datetime.datetime = _ShiftedDatetime  # type: ignore[misc]  # replaced on purpose


def _crash_on(parse: ModuleType, text: bytes) -> None:
    read: Callable[..., object] = parse.parse_message

    def deadly(raw: "parse.StoredMessage", source: object) -> object:  # type: ignore[name-defined]
        if text in raw.body and text.startswith(b"endless"):
            re.match(r"(a+)+$", "a" * 100 + "b")
        elif text in raw.body:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(raw, source)

    parse.parse_message = deadly  # type: ignore[attr-defined]


def _set_idle_timeout(settings: ModuleType, idle: str) -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    name = "idle_in_transaction_session_timeout"
    options["options"] += f" -c {name}={idle}"


def _setter(name: str, value: int) -> Callable[[ModuleType], None]:
    def change(module: ModuleType) -> None:
        if not hasattr(module, name):
            raise AttributeError(f"FAULT_PATCH: {module.__name__} has no {name}")
        setattr(module, name, value)

    return change


def _patches() -> dict[str, list[Callable[[ModuleType], None]]]:
    patches: dict[str, list[Callable[[ModuleType], None]]] = {}
    for entry in filter(None, os.environ.get("FAULT_PATCH", "").split(",")):
        module, _, assignment = entry.partition(":")
        name, _, value = assignment.partition("=")
        patches.setdefault(module, []).append(_setter(name, int(value)))
    idle = os.environ.get("FAULT_IDLE", "")
    if idle:
        patches.setdefault("visibility.settings", []).append(lambda m: _set_idle_timeout(m, idle))
    text = os.environ.get("FAULT_POISON", "").encode()
    if text:
        patches.setdefault("visibility.ingest.parse_messages_and_pick_versions", []).append(
            lambda m: _crash_on(m, text)
        )
    return patches


class _PatchingFinder(importlib.abc.MetaPathFinder):
    """Runs the patches of a module right after the module itself."""

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
        original = loader.exec_module

        def patched(module: ModuleType) -> None:
            original(module)
            for patch in todo:
                patch(module)

        loader.exec_module = patched  # type: ignore[method-assign]
        return spec


if os.environ.get("FAULT_CLOCK"):
    _shift_clock()
if any(os.environ.get(f"FAULT_{name}") for name in ("PATCH", "POISON", "IDLE")):
    sys.meta_path.insert(0, _PatchingFinder(_patches()))
