"""How far orders have come: the furthest of the eight milestones up to the invoice."""

from collections.abc import Sequence

from django.db.models import Count, Max, Q
from django.db.models.expressions import Case, Value, When

from visibility.models import Milestone
from visibility.timeline.model import MilestoneCode

STEPS = (
    MilestoneCode.RECEIVED,
    MilestoneCode.RELEASED,
    MilestoneCode.ALLOCATED,
    MilestoneCode.PICKED,
    MilestoneCode.PACKED,
    MilestoneCode.SHIPPED,
    MilestoneCode.DELIVERED,
    MilestoneCode.INVOICED,
)


def furthest_steps(order_ids: Sequence[int]) -> dict[int, int]:
    """The number of the last step that was reached, from 1, by order; one statement.

    An invoice that is sent with the goods is not the last step before they are delivered.
    """
    number = Case(*(When(code=code.value, then=Value(n)) for n, code in enumerate(STEPS, 1)))
    reached = Milestone.objects.filter(
        order_id__in=order_ids, reached_at__isnull=False, code__in=[c.value for c in STEPS]
    )
    furthest = reached.values("order_id").annotate(
        step=Max(number, filter=~Q(code=MilestoneCode.INVOICED.value), default=0),
        is_invoiced=Count("pk", filter=Q(code=MilestoneCode.INVOICED.value)),
    )
    return {
        order_id: len(STEPS) if is_invoiced and step in {0, len(STEPS) - 1} else step
        for order_id, step, is_invoiced in furthest.order_by().values_list(
            "order_id", "step", "is_invoiced"
        )
    }
