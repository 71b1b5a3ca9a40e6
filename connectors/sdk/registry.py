"""Shelves: one module a plugin, one class a module, its code the file's name, or no start."""

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any


class BadShelf(ImportError):
    """A module on a shelf does not hold exactly one plugin named like its file."""


def load(
    package: ModuleType, base: type, attribute: str = "slug", *, entry: str = ""
) -> Mapping[str, type[Any]]:
    """Every plugin of `package` by its code. Raises BadShelf.

    `entry`: each plugin is a folder, and the module of this name inside it holds the class.
    """
    found: dict[str, type[Any]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        name = f"{package.__name__}.{info.name}"
        module = importlib.import_module(f"{name}.{entry}" if entry else name)
        plugins = [
            item
            for item in vars(module).values()
            if isinstance(item, type)
            and issubclass(item, base)
            and item is not base
            and item.__module__ == module.__name__
        ]
        if len(plugins) != 1:
            raise BadShelf(
                f"{module.__name__} must hold one {base.__name__}, it holds {len(plugins)}"
            )
        code = getattr(plugins[0], attribute, None)
        if code != info.name:
            raise BadShelf(
                f"{module.__name__}: {attribute} is {code!r}, the file says {info.name!r}"
            )
        if not plugins[0].__doc__:
            raise BadShelf(f"{module.__name__} has no docstring")
        found[info.name] = plugins[0]
    return found
