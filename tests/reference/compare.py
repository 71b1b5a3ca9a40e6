"""Describe the differences between a timeline and the reference."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from connectors.sdk.events import Measure
from tests.reference.contradictions import contradictions
from tests.reference.plain_fold import ReferenceFold, Step
from visibility.timeline import MilestoneCode, RecordedEvent, Timeline, fold

UNREACHED = Step(None, None, None)


def differences(events: Sequence[RecordedEvent], *, key: str, as_of: datetime) -> list[str]:
    """One text for each value that differs; an empty list if all are equal."""
    timeline, reference = fold(events, key=key, as_of=as_of), ReferenceFold(events, as_of)
    texts = [*_status(timeline, reference), *_lines(timeline, reference)]
    return [*texts, *_milestones(timeline, reference), *_conflicts(timeline, reference)]


def _status(timeline: Timeline, reference: ReferenceFold) -> Iterator[str]:
    status = reference.status(reference.as_of)
    if timeline.status is not status:
        yield f"status {timeline.status}, not {status}"
    elif timeline.status_since != (since := reference.since()):
        yield f"{status} since {timeline.status_since}, not {since}"


def _lines(timeline: Timeline, reference: ReferenceFold) -> Iterator[str]:
    if sorted(line.key for line in timeline.lines) != reference.skus:
        yield f"lines {[line.key for line in timeline.lines]}, not {reference.skus}"
        return
    for line in timeline.lines:
        for measure in Measure:
            expected = reference.counts(line.key, measure, reference.as_of)
            if line.quantity(measure) != expected:
                yield f"{line.key} {measure} {line.quantity(measure)}, not {expected}"


def _milestones(timeline: Timeline, reference: ReferenceFold) -> Iterator[str]:
    for code in MilestoneCode:
        milestone = timeline.milestones.get(code)
        reached = milestone if milestone and milestone.reached_at else None
        step = (
            Step(reached.reached_at, reached.completed_at, reached.share) if reached else UNREACHED
        )
        if step != (expected := reference.step(code)):
            yield f"{code} {step}, not {expected}"


def _conflicts(timeline: Timeline, reference: ReferenceFold) -> Iterator[str]:
    opened = {(c.field, c.line_key, True) for c in timeline.conflicts}
    pending = {(c.field, c.line_key, False) for c in timeline.pending_conflicts}
    expected = contradictions(reference)
    for field, key, is_open in sorted((opened | pending) ^ expected):
        where = "the reference" if (field, key, is_open) in expected else "the timeline"
        yield f"{field} {key} {'open' if is_open else 'pending'}, only in {where}"
