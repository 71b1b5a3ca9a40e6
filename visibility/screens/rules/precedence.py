"""Which rules of one kind cover the same orders or sources, and which of them applies."""

from visibility.models import SlaRule
from visibility.sla.load_enabled_rules import load_rule_or_failure, sort_by_precedence
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import OrderRule, Rule, SourceRule

MAX_RULES = 200
SCOPE_LABELS = {
    "channel": "sales channel",
    "warehouse": "warehouse",
    "customer_no": "customer number",
    "carrier": "carrier",
    "source": "source",
    "role": "role of the source",
    "severity": "severity",
    "team": "team",
    "rule": "rule code",
    "customer_group": "customer group",
    "customer": "customer",
    "item": "item",
    "supplier": "supplier",
}


def scope_label(name: str) -> str:
    """Return what a field of a scope is, as part of a sentence."""
    return SCOPE_LABELS.get(name, name.replace("_", " "))


def scope_text(scope: object) -> str:
    """Return a scope in words: `channel: web, warehouse: Dallas`; empty for everything."""
    values = scope if isinstance(scope, dict) else {}
    return ", ".join(f"{scope_label(name)}: {value}" for name, value in values.items())


def load_precedence_sentences(rule: SlaRule) -> list[str]:
    """Say for each enabled rule of the same kind with a common scope which of the two applies.

    `rule` need not be stored. Of rules about KPIs and alerts each is evaluated: no sentence.
    """
    kind = rule_kinds().get(rule.kind)
    if not isinstance(kind, OrderRule | SourceRule) or not isinstance(rule.scope, dict):
        return []
    others = SlaRule.objects.filter(kind=rule.kind, enabled=True).exclude(pk=rule.pk)
    own = load_rule_or_failure(rule)
    sentences = []
    for other in others.select_related("calendar").order_by("code")[:MAX_RULES]:
        common = _common_scope(rule.scope, other.scope)
        if common is None:
            continue
        first = sort_by_precedence([own, load_rule_or_failure(other)])[0]
        where = f"For {scope_text(common)}" if common else f"For all {_subjects(kind)}"
        if first is own:
            sentences.append(f"{where}, this rule applies instead of “{other.title}”.")
        else:
            sentences.append(f"{where}, “{other.title}” applies instead of this rule.")
    return sentences


def _subjects(kind: Rule) -> str:
    return "sources" if isinstance(kind, SourceRule) else "orders"


def _common_scope(own: dict[str, object], other: object) -> dict[str, object] | None:
    """Return the scope that both cover; None if there is none."""
    if not isinstance(other, dict):
        return None
    for name in own.keys() & other.keys():
        if str(own[name]).upper() != str(other[name]).upper():
            return None
    return {**own, **other}
