"""The sprite has the icons that pages use, and no others."""

import ast
import re
from collections.abc import Iterator

from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.web.pages.sign_in_and_out import DEMO_PEOPLE
from visibility.web.pages.style_guide import TONES
from visibility.web.screen_registry import SCREENS, navigation_entries

IN_TEMPLATES = re.compile(r'icon\.html" with name="([^"]+)"')
IN_SCRIPTS = re.compile(r'"#([a-z0-9-]+)"')
SYMBOL = re.compile(r'<symbol id="([^"]+)"')
PYTHON = ("web", "boards", "screens", "operations")


def sprite() -> list[str]:
    return SYMBOL.findall((CHECKOUT / "static" / "icons.svg").read_text())


def named_icons() -> set[str]:
    """The icons that templates, the navigation, tones and the people of the demo name."""
    templates = (CHECKOUT / "templates").rglob("*.html")
    return {
        *(name for file in templates for name in IN_TEMPLATES.findall(file.read_text())),
        *(entry.icon for entry in navigation_entries(SCREENS)),
        *(tone for tone, _ in TONES),
        *(icon for _, _, icon in DEMO_PEOPLE.values()),
    }


def constants() -> Iterator[str]:
    """The texts that Python and scripts could take the name of an icon from."""
    for folder in PYTHON:
        for file in (CHECKOUT / "visibility" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
    for file in (CHECKOUT / "static" / "js").glob("*.js"):
        yield from IN_SCRIPTS.findall(file.read_text())


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    assert named_icons() - set(sprite()) == set()


def test_every_icon_of_the_sprite_is_used() -> None:
    names = sprite()
    assert len(names) == len(set(names))
    assert set(names) - named_icons() - set(constants()) == set()
