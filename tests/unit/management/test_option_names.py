"""No option of a command has a name that Django itself reads, such as `settings`."""

import argparse
import pkgutil
from collections.abc import Iterator

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from visibility.management import commands

NAMES = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def destinations(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The names of the options, also of those after a subcommand."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from destinations(inner)
        else:
            yield action.dest


@pytest.mark.parametrize("name", NAMES)
def test_no_option_replaces_one_of_django(name: str) -> None:
    own = list(
        destinations(load_command_class("visibility", name).create_parser("manage.py", name))
    )
    django = list(destinations(BaseCommand().create_parser("manage.py", name)))
    for option in ("settings", "pythonpath"):
        assert own.count(option) == django.count(option), option
