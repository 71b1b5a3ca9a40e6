"""The kinds of rules on the shelf, loaded once."""

from collections.abc import Mapping
from functools import cache

import visibility.sla.rules
from connectors.sdk.registry import load
from visibility.sla.rule import Rule


@cache
def kinds() -> Mapping[str, Rule]:
    """Every kind of rule by its code."""
    found = load(visibility.sla.rules, Rule, "code")
    return {code: kind() for code, kind in found.items()}
