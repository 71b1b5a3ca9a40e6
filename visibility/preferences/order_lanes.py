"""The lanes of order timelines that a person sees, their order, and that of the activity list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from visibility.models import OrderLaneChoice

TEAM_LANE = "@team"
MAX_LANES = 500


@dataclass(frozen=True, slots=True)
class LaneChoice:
    """Lanes by the slug of their source, or `@team`. Lanes that are not in `lanes` follow them."""

    lanes: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    # The activity list has the earliest event first.
    oldest_first: bool = False

    def sorted(self, keys: Sequence[str]) -> list[str]:
        """The lanes in the chosen order; the others keep theirs."""
        position = {key: index for index, key in enumerate(self.lanes)}
        return sorted(keys, key=lambda key: position.get(key, len(position)))

    def moved(self, keys: Sequence[str], key: str, step: int) -> "LaneChoice":
        """With the lane `key` moved by `step` among the lanes `keys`, which are in their order."""
        shown = list(keys)
        if key in shown:
            index = shown.index(key)
            shown.insert(min(max(index + step, 0), len(shown) - 1), shown.pop(index))
        others = [each for each in self.lanes if each not in shown]
        return replace(self, lanes=tuple([*shown, *others][:MAX_LANES]))


def load_lane_choice(user_id: int) -> LaneChoice:
    """What the person chose. One statement."""
    row = OrderLaneChoice.objects.filter(user_id=user_id).first()
    if row is None:
        return LaneChoice()
    return LaneChoice(tuple(row.lanes), frozenset(row.hidden), row.oldest_first)


def choose_lanes(user_id: int, choice: LaneChoice) -> None:
    """Store the choice of lanes, which the caller has checked."""
    OrderLaneChoice.objects.update_or_create(
        user_id=user_id,
        defaults={"lanes": list(choice.lanes), "hidden": sorted(choice.hidden)},
    )


def reset_lanes(user_id: int) -> None:
    """Show all lanes in the order of their first event again."""
    OrderLaneChoice.objects.filter(user_id=user_id).update(lanes=[], hidden=[])


def choose_activity_order(user_id: int, *, oldest_first: bool) -> None:
    """Store the order of the activity list."""
    OrderLaneChoice.objects.update_or_create(
        user_id=user_id,
        defaults={"oldest_first": oldest_first},
        create_defaults={"lanes": [], "hidden": [], "oldest_first": oldest_first},
    )
