"""fold(events) -> Timeline: depends on the set of events alone, never on the order of arrival."""

from collections.abc import Iterable
from datetime import datetime

from connectors.sdk.events import Attribute
from visibility.timeline import effective as told
from visibility.timeline import milestones as steps
from visibility.timeline import promises, status
from visibility.timeline.cancellations import sellers
from visibility.timeline.claims import Conflict
from visibility.timeline.conflicts import Disputes
from visibility.timeline.dictionary import NOTHING, Dictionary
from visibility.timeline.interpretation import READ, Reading, mapped, meaning, of_others
from visibility.timeline.lines import Lines
from visibility.timeline.model import MilestoneCode, Spoken, Status, Timeline
from visibility.timeline.quantity_ledger import Ledger
from visibility.timeline.shipments import ABOUT_SHIPMENTS, Parcels


def fold(
    events: Iterable[Spoken],
    *,
    key: str,
    as_of: datetime,
    known_at: datetime | None = None,
    dictionary: Dictionary = NOTHING,
) -> Timeline:
    """The timeline of one order from everything said of it.

    `as_of`: events that occurred later have no effect yet. `known_at`: only what had been received
    by then, the picture somebody saw at that moment. `dictionary`: what the sources' words mean.
    """
    known = [s for s in events if (known_at is None or s.received_at <= known_at) and _concerns(s)]
    effective, superseded = told.effective([s for s in known if s.occurred_at <= as_of])
    read = [mapped(s, dictionary) for s in effective]
    heard = [meaning(s, dictionary) for s in read]
    parcels = Parcels(heard)
    shipments = parcels.shipments()
    reading = Reading(heard, dictionary)
    ledger = Ledger(reading, steps.arrivals(heard, parcels, shipments))
    walked, disputes, lines = steps.Steps(ledger), Disputes(ledger), Lines(ledger, as_of)
    for spoken in heard:
        changed = ledger.hear(spoken, ours=sellers(spoken))
        walked.hear(spoken, {measure for _, measure in changed})
        disputes.hear(spoken, changed)
        lines.hear(spoken)
    attributes = told.attributes(heard)
    milestones = steps.milestones(heard, walked, attributes, at=as_of)
    held_since, held_reason = status.hold(heard)
    basis = status.Known(heard, ledger, milestones, as_of, held_since is not None)
    found, made = status.status(basis), lines.all()
    over = found is Status.CANCELLED or basis.share(MilestoneCode.DELIVERED) == 1
    differing = tuple(
        disputes.conflicts(
            {line.key: line for line in made},
            as_of=as_of,
            currency=attributes.get(Attribute.CURRENCY, ""),
            over=over,
        )
    )
    conflicts = tuple(c for c in differing if c.opened_at <= as_of)
    waiting = tuple(c for c in differing if c.opened_at > as_of)
    timeline = Timeline(
        key=key,
        as_of=as_of,
        status=found,
        status_since=status.since(found, milestones, held_since, heard),
        entries=told.entries(read, superseded),
        lines=made,
        shipments=shipments,
        milestones=milestones,
        claims=told.claims(heard, ledger, disputes.stands),
        attributes=attributes,
        held_since=held_since,
        held_reason=held_reason,
        numbers=told.numbers(heard),
        states=tuple(
            status.states(basis, found, made, reason=held_reason, conflict=bool(conflicts))
        ),
        conflicts=conflicts,
        waiting=waiting,
        promises=tuple(promises.promises(heard)),
        changes_at=_changes_at(known, waiting, as_of),
        currencies=told.currencies(heard, attributes.get(Attribute.CURRENCY, "")),
        dictionary=dictionary,
    )
    timeline.kept[READ] = (heard, reading)
    return timeline


def _concerns(spoken: Spoken) -> bool:
    """What is said of other orders is none of this one's, but for the parcels they share."""
    return spoken.event.type in ABOUT_SHIPMENTS or not of_others(spoken)


def _changes_at(
    known: Iterable[Spoken], waiting: Iterable[Conflict], as_of: datetime
) -> datetime | None:
    """When time alone will change the timeline: a conflict opens, an event's time has come."""
    ahead = [s.occurred_at for s in known if s.occurred_at > as_of]
    return min([*ahead, *(c.opened_at for c in waiting)], default=None)
