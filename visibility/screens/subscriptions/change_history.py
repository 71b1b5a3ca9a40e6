"""What people did with a subscription, in words."""

from collections.abc import Mapping
from typing import Any

from visibility.models import AuditEntry
from visibility.screens.subscriptions.selection_fields import SELECTION_LABELS

ACTION_TEXTS = {
    "subscription.added": "Added",
    "subscription.changed": "Changed",
    "subscription.tested": "Test message",
    "subscription.disabled": "Disabled, because messages failed",
    "subscription.resent": "Message sent again",
}


def describe_audit_entry(entry: AuditEntry) -> str:
    """`Changed: settings url, enabled` or `Test message: accepted`."""
    action = ACTION_TEXTS.get(entry.action, entry.action)
    detail: Mapping[str, Any] = entry.detail if isinstance(entry.detail, Mapping) else {}
    if entry.action == "subscription.tested":
        return f"{action}: {'accepted' if detail.get('accepted') else 'not sent'}"
    if entry.action != "subscription.changed":
        return action
    names = [str(name) for name in detail.get("settings", ())]
    names += [label for name, label in SELECTION_LABELS.items() if name in detail]
    if "enabled" in detail:
        names.append("enabled" if detail["enabled"] else "disabled")
    return f"{action}: {', '.join(names)}"
