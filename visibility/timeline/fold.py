"""Compute a timeline. It depends only on the set of events, never on their order of arrival."""

from collections.abc import Iterable
from datetime import datetime

from connectors.sdk.events import Attribute
from visibility.timeline import entries_attributes_and_claims, promises, status
from visibility.timeline import milestones as steps
from visibility.timeline.active_cancellations_and_cause import (
    active_cancellations,
    is_seller_cancellation,
)
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.cancel_unshipped_quantities import record_open_quantities_as_cancelled
from visibility.timeline.claim_line_conflict_types import TimelineConflict
from visibility.timeline.conflicts import ConflictTracker
from visibility.timeline.holds import hold_start_and_reasons
from visibility.timeline.interpret_event_lines import (
    CACHE_KEY,
    Interpretation,
    event_names_only_other_orders,
    map_status_text_to_event_type,
    translate_event_attributes,
)
from visibility.timeline.line_quantities_and_flags import LineBuilder
from visibility.timeline.master_data_dictionary import EMPTY_DICTIONARY, MasterDataDictionary
from visibility.timeline.model import (
    MilestoneCode,
    RecordedEvent,
    Status,
    Timeline,
)
from visibility.timeline.package_contents import items_by_package
from visibility.timeline.packed_contents_of_shipments import add_packed_lines
from visibility.timeline.quotations_contracts_and_transports import (
    quotations_contracts_and_transport,
)
from visibility.timeline.replaced_sources import attribute_to_replacing_sources
from visibility.timeline.shipments import SHIPMENT_EVENTS, ShipmentGrouping
from visibility.timeline.sort_events_and_drop_superseded import (
    split_superseded_events,
    without_events_taken_back,
)


def fold(
    events: Iterable[RecordedEvent],
    *,
    key: str,
    as_of: datetime,
    known_at: datetime | None = None,
    dictionary: MasterDataDictionary = EMPTY_DICTIONARY,
) -> Timeline:
    """Compute the timeline of one order from its events.

    `as_of`: events that occurred later have no effect. `known_at`: ignore events received later, to
    show what was known then. `dictionary`: translates the terms of the sources.
    """
    known = [
        s
        for s in events
        if (known_at is None or s.received_at <= known_at) and _event_concerns_order(s)
    ]
    current, superseded = split_superseded_events(
        [s for s in known if s.occurred_at <= as_of], as_of=as_of, known_at=known_at
    )
    classified = [map_status_text_to_event_type(s, dictionary) for s in current]
    translated = add_packed_lines([translate_event_attributes(s, dictionary) for s in classified])
    claiming = attribute_to_replacing_sources(translated)
    holding = without_events_taken_back(translated)
    grouping = ShipmentGrouping(translated)
    shipments = grouping.shipments(items_by_package(translated))
    reading = Interpretation(translated, dictionary)
    carried = [s for s in shipments if not s.voided_at]
    packages = [package for s in carried for package in s.packages]
    ledger = QuantityLedger(
        reading,
        steps.arrival_times_by_scope(
            translated,
            grouping,
            {s.key: s.delivered_at for s in carried},
            {p.key: p.delivered_at for p in packages},
        ),
        steps.arrival_times_by_scope(
            translated,
            grouping,
            {s.key: s.returned_at for s in carried},
            {p.key: p.returned_at for p in packages},
        ),
    )
    tracker, disputes, lines = (
        steps.MilestoneTracker(ledger),
        ConflictTracker(ledger),
        LineBuilder(ledger, as_of),
    )
    cancelling = {id(recorded) for recorded in active_cancellations(holding)}
    ineffective = set()
    for index, (recorded, claim) in enumerate(zip(translated, claiming, strict=True)):
        changed = ledger.apply(claim, cancelled_by_seller=is_seller_cancellation(claim))
        if id(recorded) in cancelling:
            changed |= record_open_quantities_as_cancelled(ledger, claim)
        if not changed:
            ineffective.add(index)
        tracker.apply(recorded, {measure for _, measure in changed})
        disputes.apply(claim, changed)
        lines.record_line_descriptions_prices_and_terms(recorded)
    attributes = entries_attributes_and_claims.merge_order_attributes(translated)
    milestones = steps.build_milestones(
        holding, tracker, attributes, shipments, ship_by=lines.terms.earliest_ship_by(), at=as_of
    )
    on_hold_since, hold_reason = hold_start_and_reasons(without_events_taken_back(claiming))
    inputs = status.StatusInputs(
        holding, ledger, milestones, as_of, on_hold_since is not None, shipments
    )
    order_status = status.compute_order_status(inputs)
    order_lines = lines.build(is_order_cancelled=order_status is Status.CANCELLED)
    over = order_status is Status.CANCELLED or inputs.fraction_reached(MilestoneCode.DELIVERED) == 1
    differences = tuple(
        disputes.conflicts(
            {line.key: line for line in order_lines},
            as_of=as_of,
            currency=attributes.get(Attribute.CURRENCY, ""),
            over=over,
        )
    )
    conflicts = tuple(c for c in differences if c.opened_at <= as_of)
    pending = tuple(c for c in differences if c.opened_at > as_of)
    timeline = Timeline(
        key=key,
        as_of=as_of,
        status=order_status,
        status_since=status.status_since(order_status, milestones, on_hold_since, holding),
        entries=entries_attributes_and_claims.build_timeline_entries(
            classified, superseded, ineffective
        ),
        lines=order_lines,
        shipments=shipments,
        milestones=milestones,
        claims=entries_attributes_and_claims.build_source_claims(
            claiming, ledger, disputes.source_states
        ),
        attributes=attributes,
        on_hold_since=on_hold_since,
        hold_reason=hold_reason,
        numbers=entries_attributes_and_claims.collect_order_numbers(translated),
        states=tuple(
            status.compute_order_states(
                inputs, order_status, order_lines, reason=hold_reason, conflict=bool(conflicts)
            )
        ),
        conflicts=conflicts,
        pending_conflicts=pending,
        promises=tuple(promises.iterate_promise_changes(translated, reading)),
        related=quotations_contracts_and_transport(translated),
        next_change_at=_next_future_event_or_conflict_at(known, pending, as_of),
        currencies=entries_attributes_and_claims.other_currencies(
            translated, attributes.get(Attribute.CURRENCY, "")
        ),
        dictionary=dictionary,
    )
    timeline.cache[CACHE_KEY] = (claiming, reading)
    return timeline


def _event_concerns_order(recorded: RecordedEvent) -> bool:
    """Whether an event concerns the order: its own events, and those about shared shipments."""
    return recorded.event.type in SHIPMENT_EVENTS or not event_names_only_other_orders(recorded)


def _next_future_event_or_conflict_at(
    known: Iterable[RecordedEvent], waiting: Iterable[TimelineConflict], as_of: datetime
) -> datetime | None:
    """When the timeline changes next without a new event, None if never."""
    future = [s.occurred_at for s in known if s.occurred_at > as_of]
    future += [at for s in known for at, _ in s.corrected_at if at > as_of]
    return min([*future, *(c.opened_at for c in waiting)], default=None)
