"""Sentences about a silent source: which data is missing, and what closes the alert."""

from visibility.formatting import format_timestamp
from visibility.models import Alert, AlertKind, Source
from visibility.sla.rules.source_silent import ALL_PARKED, event_type_of_subject_key
from visibility.sla.silence_limits import silence_limit_origin
from visibility.storage.organization import organization_time_zone

CLOSING_CONDITIONS = {
    AlertKind.RULE_FAILED: "Closes automatically when the rule works again.",
    AlertKind.CHANNEL_FAILED: "Closes automatically when it is enabled again or deleted.",
}


def explain_failing_rule(alert: Alert) -> str:
    """Return since when a rule fails, and what that means."""
    since = format_timestamp(alert.started_at, organization_time_zone())
    return (
        f"The rule has failed since {since}. It is not checked for the orders or sources that it "
        "fails for; their active alerts do not change. It is tried again every hour, and at once "
        "after it was changed."
    )


def explain_silence(alert: Alert, source: Source) -> str:
    """Return since when data is missing, and whose limit says so."""
    since = format_timestamp(alert.started_at, organization_time_zone())
    due = format_timestamp(alert.due_at, organization_time_zone())
    if alert.subject_key == ALL_PARKED:
        return (
            f"{source.title} sends messages, but since {since} none of them could be processed. "
            f"Data was expected by {due}."
        )
    if event_type := event_type_of_subject_key(alert.subject_key):
        return (
            f"No {event_type} event has been received from {source.title} since {since}. "
            f"The next one was expected by {due}, a limit that is set for this source."
        )
    return (
        f"No data has been received from {source.title} since {since}. "
        f"The next message was expected by {due}, the silence limit of the source "
        f"({silence_limit_origin(source)})."
    )


def describe_closing_of_silence(alert: Alert, source: Source) -> str:
    """Return what closes the alert."""
    if alert.subject_key == ALL_PARKED:
        return (
            f"Closes automatically when a message from {source.title} is processed. Correct the "
            "cause and replay its parked messages."
        )
    if event_type := event_type_of_subject_key(alert.subject_key):
        return f"Closes automatically with the next {event_type} event from {source.title}."
    return f"Closes automatically with the next message from {source.title}."
