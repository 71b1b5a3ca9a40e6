"""Which sources would report the step that a clock waits for."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Attribute
from visibility.models.sources_and_messages import Source
from visibility.sla.rule import Clock
from visibility.sla.silence_limits import warehouses_of_source
from visibility.timeline.model import Timeline


@dataclass(frozen=True, slots=True)
class ExpectedSources:
    """Slugs in alphabetical order. `are_known`: they are the sources of this order; otherwise each
    one of them might be.
    """

    slugs: list[str]
    are_known: bool


def expected_sources_of_clock(
    clock: Clock, timeline: Timeline, sources: Sequence[Source]
) -> ExpectedSources:
    """Return the sources that would report the step to these enabled sources' product.

    Of the sources with an expected role, these are the ones that have reported on the order or are
    set to report on its warehouse. If there is none: all that are not set to other warehouses.
    """
    candidates = {
        source.slug: warehouses_of_source(source.config_or_empty_if_invalid)
        for source in sorted(sources, key=lambda source: source.slug)
        if SourceRole.from_stored(source.role) in clock.expected_from
    }
    reporting = {claim.source for claim in timeline.claims}
    warehouses = _warehouses_of_order(timeline, clock.subject_key)
    known = [slug for slug, own in candidates.items() if slug in reporting or own & warehouses]
    if known:
        return ExpectedSources(known, are_known=True)
    possible = [slug for slug, own in candidates.items() if not (own and warehouses)]
    return ExpectedSources(possible or list(candidates), are_known=False)


def _warehouses_of_order(timeline: Timeline, subject_key: str) -> frozenset[str]:
    """The warehouse of the shipment that the clock is about, or else of the order."""
    of_shipment = {s.warehouse for s in timeline.shipments if s.key == subject_key}
    names = of_shipment - {""} or {timeline.attributes.get(Attribute.WAREHOUSE, "")}
    return frozenset(name.strip().casefold() for name in names if name.strip())
