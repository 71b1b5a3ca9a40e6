"""Where the timeline and the reference differ, in words."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from connectors.sdk.events import Measure
from tests.reference.contradictions import contradictions
from tests.reference.plain_fold import Step, Story
from visibility.timeline import MilestoneCode, Spoken, Timeline, fold

UNREACHED = Step(None, None, None)


def differences(events: Sequence[Spoken], *, key: str, as_of: datetime) -> list[str]:
    """Each answer that is not the same; none where all agree."""
    told, story = fold(events, key=key, as_of=as_of), Story(events, as_of)
    found = [*_status(told, story), *_lines(told, story)]
    return [*found, *_milestones(told, story), *_conflicts(told, story)]


def _status(told: Timeline, story: Story) -> Iterator[str]:
    status = story.status(story.as_of)
    if told.status is not status:
        yield f"status {told.status}, not {status}"
    elif told.status_since != (since := story.since()):
        yield f"{status} since {told.status_since}, not {since}"


def _lines(told: Timeline, story: Story) -> Iterator[str]:
    if sorted(line.key for line in told.lines) != story.skus:
        yield f"lines {[line.key for line in told.lines]}, not {story.skus}"
        return
    for line in told.lines:
        for measure in Measure:
            right = story.counts(line.key, measure, story.as_of)
            if line.get(measure) != right:
                yield f"{line.key} {measure} {line.get(measure)}, not {right}"


def _milestones(told: Timeline, story: Story) -> Iterator[str]:
    for code in MilestoneCode:
        one = told.milestones.get(code)
        reached = one if one and one.reached_at else None
        step = (
            Step(reached.reached_at, reached.completed_at, reached.share) if reached else UNREACHED
        )
        if step != (right := story.step(code)):
            yield f"{code} {step}, not {right}"


def _conflicts(told: Timeline, story: Story) -> Iterator[str]:
    opened = {(c.field, c.line_key, True) for c in told.conflicts}
    waiting = {(c.field, c.line_key, False) for c in told.waiting}
    right = contradictions(story)
    for field, key, is_open in sorted((opened | waiting) ^ right):
        where = "the reference" if (field, key, is_open) in right else "the timeline"
        yield f"{field} {key} {'open' if is_open else 'waiting'}, in {where} alone"
