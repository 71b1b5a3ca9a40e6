"""Shelves: what is put on one wrongly stops the start, with the module's name."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from connectors.sdk.registry import BadShelf, load


class Plugin:
    """What everything on the shelf is."""

    slug = ""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package `toys` that can be imported."""
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "toys"]:
        del sys.modules[name]


def put(shelf: Path, name: str, *bodies: str) -> ModuleType:
    """A module of classes `A`, `B`, ... with these bodies; the package it stands in."""
    head = f"from {__name__} import Plugin\n"
    classes = [
        f"class {letter}(Plugin):\n    {body}\n" for letter, body in zip("AB", bodies, strict=False)
    ]
    (shelf / f"{name}.py").write_text("\n\n".join([head, *classes]))
    package = ModuleType("toys")
    package.__path__ = [str(shelf)]
    return package


def test_each_module_holds_one_plugin_named_like_its_file(shelf: Path) -> None:
    put(shelf, "ball", '"""Round."""\n    slug = "ball"')
    package = put(shelf, "cube", '"""Square."""\n    slug = "cube"')
    found = load(package, Plugin)
    assert list(found) == ["ball", "cube"]
    assert found["ball"].__doc__ == "Round."


def test_a_class_that_was_only_imported_is_no_plugin(shelf: Path) -> None:
    put(shelf, "ball", '"""Round."""\n    slug = "ball"')
    package = put(shelf, "cube", '"""Square."""\n    slug = "cube"')
    with (shelf / "cube.py").open("a") as file:
        file.write("\n\nfrom toys.ball import A as Ball\n")
    assert load(package, Plugin)["cube"].__doc__ == "Square."


@pytest.mark.parametrize(
    ("bodies", "complaint"),
    [
        ([], "toys.ball must hold one Plugin, it holds 0"),
        (['"""One."""\n    slug = "ball"', '"""Two."""\n    slug = "ball"'], "it holds 2"),
        (['"""Round."""\n    slug = "bowl"'], "toys.ball: slug is 'bowl', the file says 'ball'"),
        (['"""Round."""'], "slug is ''"),
        (['slug = "ball"'], "toys.ball has no docstring"),
    ],
)
def test_anything_else_is_refused_by_name(shelf: Path, bodies: list[str], complaint: str) -> None:
    package = put(shelf, "ball", *bodies)
    with pytest.raises(BadShelf, match=complaint):
        load(package, Plugin)


def test_the_name_may_stand_in_another_attribute(shelf: Path) -> None:
    package = put(shelf, "ball", '"""Round."""\n    code = "ball"')
    assert list(load(package, Plugin, "code")) == ["ball"]
