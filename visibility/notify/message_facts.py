"""What every channel says about an alert: the same facts, each with its label."""

from visibility.notify.alert_facts import local_time
from visibility.notify.channel import AlertSummary


def list_alert_facts(alert: AlertSummary, *, is_personal: bool) -> list[tuple[str, str]]:
    """Return label and text of each known fact. `is_personal`: with the customer and the value."""
    facts = (
        ("Order", alert.order),
        ("Customer", alert.customer if is_personal else ""),
        (alert.value_label, alert.value if is_personal else ""),
        ("Missing", alert.missing),
        ("Age", alert.age),
        ("Started", local_time(alert.started_at) if alert.started_at else ""),
        ("Due", local_time(alert.due_at)),
        ("Team", alert.team),
        ("Expected response", alert.response),
    )
    return [(label, text) for label, text in facts if text]


def short_alert_line(alert: AlertSummary, *, is_personal: bool) -> str:
    """Return customer, value and missing step of one of several alerts on one line."""
    known = list_alert_facts(alert, is_personal=is_personal)
    named = {"Customer", alert.value_label, "Missing"}
    return ". ".join(
        " ".join(f"{label}: {text}".split()) for label, text in known if label in named
    )


def title_with_order(alert: AlertSummary) -> str:
    """Return `SO-1: Released and not shipped` on one line."""
    prefix = f"{alert.order}: " if alert.order else ""
    return " ".join(f"{prefix}{alert.title}".split())
