"""The clauses of the answer with the page that shows their evidence, and the lateness pill."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from visibility.formatting import count_with_noun, in_zone, local_or_bare_utc_date
from visibility.timeline import MilestoneCode, Timeline
from visibility.timeline.answer_clauses import AnswerClause, Evidence
from visibility.timeline.customer_answer import ENDED_STATUSES, SHIPPING_STATUSES
from visibility.timeline.model import Status
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.timeline.status_answer import STATE_LABELS, StatusAnswer

DELIVERED_STATUSES = frozenset({Status.DELIVERED, Status.COMPLETED})
# States that the milestones show.
USUAL_STATES = frozenset(
    {
        OrderState.RELEASED,
        OrderState.ALLOCATED,
        OrderState.SHIPPED,
        OrderState.DELIVERED,
        OrderState.INVOICED,
    }
)
TABS_OF_EVIDENCE = {
    Evidence.SHORTAGES: "lines",
    Evidence.BILLING: "money",
    Evidence.RETURNS: "lines",
    Evidence.DISCREPANCIES: "discrepancies",
}


@dataclass(frozen=True, slots=True)
class LinkedClause:
    """A clause: `lead` and `after` are plain text, `text` is the link to its evidence."""

    text: str
    url: str
    lead: str = ""
    after: str = ""


def linked_clauses(
    answer: StatusAnswer, timeline: Timeline, *, back: str
) -> Iterator[LinkedClause]:
    """The clauses in order. `back`: the query parameters that links pass on."""
    for clause in answer.clauses:
        url = _evidence_url(clause, timeline, back)
        title, colon, remainder = clause.text.partition(": ")
        if clause.evidence is Evidence.PROMISE and colon:
            yield LinkedClause(title, url, after=f"{colon}{remainder}{clause.separator}")
        elif clause.evidence is Evidence.STATUS and colon:
            yield LinkedClause(remainder, url, lead=f"{title}{colon}", after=clause.separator)
        else:
            yield LinkedClause(clause.text, url, after=clause.separator)


def _evidence_url(clause: AnswerClause, timeline: Timeline, back: str) -> str:
    if clause.evidence is Evidence.PROMISE:
        return "#promises" if timeline.promises else f"?tab=lines{back}#order-tab"
    if clause.evidence in TABS_OF_EVIDENCE:
        return f"?tab={TABS_OF_EVIDENCE[clause.evidence]}{back}#order-tab"
    if timeline.shipments and timeline.status in SHIPPING_STATUSES | DELIVERED_STATUSES:
        return f"?tab=shipments{back}#order-tab"
    event_id = next(
        (
            entry.recorded.event_id
            for entry in reversed(timeline.entries)
            if not entry.superseded and entry.recorded.occurred_at == timeline.status_since
        ),
        0,
    )
    return f"?tab=timeline&event={event_id}{back}#event" if event_id else "#activity-head"


def further_states(timeline: Timeline, answer: StatusAnswer) -> list[str]:
    """The labels of the states that neither the answer nor the milestones name."""
    labels = [STATE_LABELS[s] for s in timeline.states if s not in USUAL_STATES]
    return [label for label in labels if label.lower() not in answer.text.lower()]


def lateness(timeline: Timeline, *, now: datetime, zone: str) -> str:
    """`1 day late`, if the promised day has passed and the order is not delivered; or empty."""
    delivered = timeline.milestones.get(MilestoneCode.DELIVERED)
    if timeline.status in ENDED_STATUSES or delivered is None or delivered.planned_at is None:
        return ""
    if delivered.completed_at:
        return ""
    days = (in_zone(now, zone).date() - local_or_bare_utc_date(delivered.planned_at, zone)).days
    return f"{count_with_noun(days, 'day')} late" if days > 0 else ""
