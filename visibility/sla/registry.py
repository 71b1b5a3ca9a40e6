"""Every kind of rule, loaded once."""

from collections.abc import Mapping
from functools import cache

import visibility.sla.rules
from connectors.sdk.load_plugins_of_package import InvalidPlugin, load_plugins
from visibility.sla.parameters import (
    UndescribedParameter,
    parameter_fields,
    readable_parameters_by_name,
)
from visibility.sla.rule import Rule


@cache
def rule_kinds() -> Mapping[str, Rule]:
    """Return every kind of rule by its code. Raises InvalidPlugin."""
    classes = load_plugins(visibility.sla.rules, Rule, "code")
    kinds = {code: kind() for code, kind in classes.items()}
    for kind in kinds.values():
        require_complete_rule_kind(kind)
    return kinds


def require_complete_rule_kind(kind: Rule) -> None:
    """Raise InvalidPlugin if a kind of rule is incomplete, or could never be evaluated."""
    subject = getattr(kind, "subject", None)
    if subject not in kind.supported_subjects:
        raise InvalidPlugin(f"{kind.code}: no evaluation exists for the subject {subject!r}")
    for name in ("title", "meaning", "response", "team", "consequences"):
        if not getattr(kind, name, None):
            raise InvalidPlugin(f"{kind.code} declares no {name}")
    try:
        described = readable_parameters_by_name(kind.params_type())
        missing = [
            f.name
            for f in parameter_fields(kind.params_type)
            if _is_missing_from_sentence_template(kind, f.name)
        ]
        kind.sentence_template.format_map(described)
    except (UndescribedParameter, AttributeError, KeyError, TypeError) as error:
        raise InvalidPlugin(f"{kind.code}: its parameters are invalid: {error}") from error
    if missing:
        raise InvalidPlugin(f"{kind.code}: its sentence does not name {missing[0]!r}")


def _is_missing_from_sentence_template(kind: Rule, name: str) -> bool:
    return f"{{{name}}}" not in kind.sentence_template
