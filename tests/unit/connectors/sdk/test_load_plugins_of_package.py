"""Plugin registry: an invalid plugin module stops the start and is named."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from connectors.sdk.load_plugins_of_package import InvalidPlugin, load_plugins


class Plugin:
    """The base class of the plugins."""

    slug = ""


@pytest.fixture
def package_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create an empty package `toys` that can be imported."""
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "toys"]:
        del sys.modules[name]


def write_module(package_folder: Path, name: str, *bodies: str) -> ModuleType:
    """Write a module with classes `A`, `B`, ... of these bodies. Returns its package."""
    head = f"from {__name__} import Plugin\n"
    classes = [
        f"class {letter}(Plugin):\n    {body}\n" for letter, body in zip("AB", bodies, strict=False)
    ]
    (package_folder / f"{name}.py").write_text("\n\n".join([head, *classes]))
    package = ModuleType("toys")
    package.__path__ = [str(package_folder)]
    return package


def test_plugins_are_returned_by_module_name(package_folder: Path) -> None:
    write_module(package_folder, "ball", '"""Round."""\n    slug = "ball"')
    package = write_module(package_folder, "cube", '"""Square."""\n    slug = "cube"')
    plugins = load_plugins(package, Plugin)
    assert list(plugins) == ["ball", "cube"]
    assert plugins["ball"].__doc__ == "Round."


def test_an_imported_class_is_not_a_plugin(package_folder: Path) -> None:
    write_module(package_folder, "ball", '"""Round."""\n    slug = "ball"')
    package = write_module(package_folder, "cube", '"""Square."""\n    slug = "cube"')
    with (package_folder / "cube.py").open("a") as file:
        file.write("\n\nfrom toys.ball import A as Ball\n")
    assert load_plugins(package, Plugin)["cube"].__doc__ == "Square."


@pytest.mark.parametrize(
    ("bodies", "complaint"),
    [
        ([], "toys.ball must define one Plugin, it defines 0"),
        (['"""One."""\n    slug = "ball"', '"""Two."""\n    slug = "ball"'], "it defines 2"),
        (['"""Round."""\n    slug = "bowl"'], "toys.ball: slug is 'bowl', the module is 'ball'"),
        (['"""Round."""'], "slug is ''"),
        (['slug = "ball"'], "toys.ball has no docstring"),
    ],
)
def test_an_invalid_module_is_named_in_the_error(
    package_folder: Path, bodies: list[str], complaint: str
) -> None:
    package = write_module(package_folder, "ball", *bodies)
    with pytest.raises(InvalidPlugin, match=complaint):
        load_plugins(package, Plugin)


def test_the_code_may_be_in_another_attribute(package_folder: Path) -> None:
    package = write_module(package_folder, "ball", '"""Round."""\n    code = "ball"')
    assert list(load_plugins(package, Plugin, "code")) == ["ball"]
