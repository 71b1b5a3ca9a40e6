"""Every kind of rule, loaded once."""

from collections.abc import Mapping
from functools import cache

import visibility.sla.rules
from connectors.sdk.plugin_loader import load_plugins
from visibility.sla.rule import Rule


@cache
def rule_kinds() -> Mapping[str, Rule]:
    """Return every kind of rule by its code."""
    classes = load_plugins(visibility.sla.rules, Rule, "code")
    return {code: kind() for code, kind in classes.items()}
