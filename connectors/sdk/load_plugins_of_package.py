"""Plugin registry: each module of a package defines one class whose code is the module name."""

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any


class InvalidPlugin(ImportError):
    """A plugin module is invalid. This stops the start."""


def load_plugins(
    package: ModuleType, base: type, attribute: str = "slug", *, entry: str = ""
) -> Mapping[str, type[Any]]:
    """Return every plugin class of `package` by its code. Raises InvalidPlugin.

    With `entry`, each plugin is a package and its class is in the submodule of that name.
    """
    loaded: dict[str, type[Any]] = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        name = f"{package.__name__}.{module_info.name}"
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
            raise InvalidPlugin(
                f"{module.__name__} must define one {base.__name__}, it defines {len(plugins)}"
            )
        code = getattr(plugins[0], attribute, None)
        if code != module_info.name:
            raise InvalidPlugin(
                f"{module.__name__}: {attribute} is {code!r}, the module is {module_info.name!r}"
            )
        if not plugins[0].__doc__:
            raise InvalidPlugin(f"{module.__name__} has no docstring")
        loaded[module_info.name] = plugins[0]
    return loaded
