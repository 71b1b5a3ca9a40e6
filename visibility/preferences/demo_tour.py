"""What a person has done of the tour of the demo, and whether they have hidden it."""

from visibility.models import DemoTourEntry

HIDDEN = "hidden"
# The pages of the tour.
FIND, READ_WHY, MISSED, CUSTOMER = "find", "why", "missed", "customer"


def load_tour_codes(user_id: int) -> frozenset[str]:
    """The codes of the pages that the person has opened, and `hidden`. One statement."""
    rows = DemoTourEntry.objects.filter(user_id=user_id)
    return frozenset(rows.values_list("code", flat=True))


def add_tour_code(user_id: int, code: str) -> None:
    """Record that the person has opened a page of the tour, or hides it; again changes nothing."""
    rows = DemoTourEntry.objects.filter(user_id=user_id, code=code)
    if not rows.exists():
        DemoTourEntry.objects.bulk_create(
            [DemoTourEntry(user_id=user_id, code=code)], ignore_conflicts=True
        )


def show_tour(user_id: int) -> None:
    """Show the tour again."""
    DemoTourEntry.objects.filter(user_id=user_id, code=HIDDEN).delete()
