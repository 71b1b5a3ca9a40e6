"""The kinds of rules on the shelf, loaded once."""

from collections.abc import Mapping
from functools import cache

import visibility.evaluate.rules
from connectors.plugins import load
from visibility.evaluate.rule import Rule


@cache
def kinds() -> Mapping[str, Rule]:
    """Every kind of rule by its code."""
    found = load(visibility.evaluate.rules, Rule, "code")
    return {code: kind() for code, kind in found.items()}
