"""The filters of the list of sources."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from connectors.catalog import connectors_by_slug
from visibility.screens.lists.list_filters import (
    YES,
    AppliedFilters,
    FilterContext,
    FilterKind,
    ListFilter,
    by_name,
)
from visibility.screens.sources.health import HealthReport
from visibility.screens.sources.role_and_state_labels import ROLE_LABELS, SourceState


def _connector_title(slug: str) -> str:
    connector = connectors_by_slug().get(slug)
    return connector.title if connector else slug


def _by_health(_: Sequence[Any], __: FilterContext) -> Q:
    """The list compares the health reports: `matches_health_filters`."""
    return Q()


def _archived(_: Sequence[Any], __: FilterContext) -> Q:
    """The list has either the sources in use or the archived ones, also without the filter."""
    return Q()


def matches_health_filters(report: HealthReport, applied: AppliedFilters) -> bool:
    """Whether the source has what the filters by state, parked messages and owner ask for."""
    values = applied.values
    return (
        report.state.name.lower() in values.get("state", [report.state.name.lower()])
        and (report.parked > 0 or "parked" not in values)
        and report.source.owner_label in values.get("owner", [report.source.owner_label])
    )


SOURCE_FILTERS = by_name(
    ListFilter(
        "q",
        "Search",
        "Text in the title or the slug.",
        lambda values, _: Q(title__icontains=values[0]) | Q(slug__icontains=values[0]),
        is_in_form=False,
    ),
    ListFilter(
        "state",
        "Status",
        "State of the source.",
        _by_health,
        FilterKind.CHOICE,
        choices={state.name.lower(): state.value for state in SourceState},
        is_repeatable=True,
    ),
    ListFilter(
        "role",
        "Role",
        "Role of the system.",
        lambda values, _: Q(role__in=list(values)),
        FilterKind.CHOICE,
        choices={role.value: label[:1].upper() + label[1:] for role, label in ROLE_LABELS.items()},
        is_repeatable=True,
    ),
    ListFilter(
        "connector",
        "Connector",
        "Slug of the connector.",
        lambda values, _: Q(connector__in=list(values)),
        value_label=_connector_title,
        has_suggestions=True,
        is_repeatable=True,
    ),
    ListFilter(
        "owner",
        "Owner",
        "The team or person that owns the source, by its name.",
        _by_health,
        has_suggestions=True,
        is_repeatable=True,
    ),
    ListFilter(
        "parked",
        "Has parked messages",
        f"`{YES}`: messages that could not be processed are parked.",
        _by_health,
        FilterKind.SWITCH,
        choices={YES: "Has parked messages"},
    ),
    ListFilter(
        "archived",
        "Archived",
        "`yes`: archived sources instead of the others.",
        _archived,
        FilterKind.CHOICE,
        choices={"yes": "Yes", "no": "No"},
    ),
)
