"""The first rules that an installation is offered, as soon as a source reports what they need."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from visibility.models import SlaRule
from visibility.models.sources_and_messages import SourceActivity
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import OrderRule
from visibility.storage.demo_data import demo_rule_ids

MAX_SOURCES_NAMED = 3


@dataclass(frozen=True, slots=True)
class StarterRule:
    """A kind of rule that has no rule yet. `sources`: titles of those that report its events."""

    kind: OrderRule
    sentence: str
    sources: Sequence[str]

    @property
    def url(self) -> str:
        """The form of a new rule of this kind."""
        return f"/rules/new?kind={self.kind.code}"

    @property
    def event_names(self) -> str:
        """The types of the events that start its timers."""
        return ", ".join(event_type.value for event_type in self.kind.starting_events)

    @property
    def source_names(self) -> str:
        """The first sources that report the events."""
        named = ", ".join(self.sources[:MAX_SOURCES_NAMED])
        more = len(self.sources) - MAX_SOURCES_NAMED
        return f"{named} and {more} more" if more > 0 else named


def load_starter_rules() -> list[StarterRule]:
    """Return the kinds about orders that never had a rule, those that can start first.

    Two statements; one if there is none.
    """
    own = SlaRule.objects.exclude(pk__in=demo_rule_ids())
    used = set(own.values_list("kind", flat=True).distinct())
    kinds = [
        kind
        for code, kind in sorted(rule_kinds().items())
        if isinstance(kind, OrderRule) and kind.starting_events and code not in used
    ]
    if not kinds:
        return []
    types = {event_type.value for kind in kinds for event_type in kind.starting_events}
    rows = SourceActivity.objects.filter(
        event_type__in=types,
        newest_event_at__isnull=False,
        source__enabled=True,
        source__archived_at=None,
    )
    titles: dict[str, set[str]] = defaultdict(set)
    for event_type, title in rows.values_list("event_type", "source__title"):
        titles[event_type].add(title)
    starters = [
        StarterRule(
            kind,
            kind.sentence(kind.params_type()),
            sorted(set().union(*(titles[e.value] for e in kind.starting_events))),
        )
        for kind in kinds
    ]
    return sorted(starters, key=lambda starter: not starter.sources)
