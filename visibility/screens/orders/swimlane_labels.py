"""Place the markers and labels of one lane so that none covers another.

Markers that are too close share one with a count. A label is to the right of its marker, or
to the left where the right is taken, or is hidden; screen readers get every name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from visibility.screens.orders.swimlane_axis import MIN_DISTANCE

# Of a letter of the labels, in CSS pixels, and from the middle of a marker to its label.
LETTER_WIDTH, LABEL_GAP = 6.3, 13.0
MAX_LETTERS = 30
# Events that the card of a marker lists.
MAX_IN_CARD = 6
RADIUS = 10.0


@dataclass(frozen=True, slots=True)
class Marker:
    """One event, or several; `x` and `width` are in pixels, on the page in percent.

    `kind`: event, planned, expected, team. `label` is shown as `side` says: right, left, hidden.
    `name`: everything that it represents. `detail`: the second line of an outline. `card`: what
    the card of the marker says, a line for each; of several events, one after the other.
    """

    x: float
    label: str
    name: str
    tone: str
    kind: str = "event"
    event_id: int = 0
    url: str = ""
    count: int = 1
    side: str = "right"
    is_superseded: bool = False
    # All its times are inferred: no source reported them.
    is_inferred: bool = False
    is_problem: bool = False
    # The width of an outline, which has its text inside.
    width: float = 0
    detail: str = ""
    card: tuple[str, ...] = ()


def label_width(text: str) -> float:
    """The estimated width of a label in pixels."""
    return len(text) * LETTER_WIDTH + 4


def shorten(text: str) -> str:
    """The text, cut after MAX_LETTERS."""
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1].rstrip(" ,·") + "…"


def stack_close_markers(markers: Sequence[Marker]) -> list[Marker]:
    """Replace markers of one kind that are too close by one with a count."""
    groups: list[list[Marker]] = []
    for marker in sorted(markers, key=lambda m: m.x):
        last = groups[-1] if groups else []
        is_close = bool(last) and marker.x - last[0].x < MIN_DISTANCE
        if is_close and last[0].kind == marker.kind and marker.kind != "expected":
            last.append(marker)
        else:
            groups.append([marker])
    return [_stacked(group) for group in groups]


def _stacked(group: Sequence[Marker]) -> Marker:
    if len(group) == 1:
        return replace(group[0], label=shorten(group[0].label))
    labels = list(dict.fromkeys(marker.label for marker in group))
    label = ", ".join([labels[0], *(each[:1].lower() + each[1:] for each in labels[1:])])
    if len(label) > MAX_LETTERS:
        other_count = len(labels) - 1
        label = f"{shorten(labels[0])} +{other_count}" if other_count else shorten(labels[0])
    problems = [marker for marker in group if marker.is_problem]
    shown = problems[-1] if problems else group[-1]
    return replace(
        group[0],
        label=label,
        name="; ".join(dict.fromkeys(marker.name for marker in group)),
        card=_stacked_card(group),
        tone=shown.tone,
        count=len(group),
        is_superseded=all(marker.is_superseded for marker in group),
        is_inferred=all(marker.is_inferred for marker in group),
        is_problem=bool(problems),
    )


def _stacked_card(group: Sequence[Marker]) -> tuple[str, ...]:
    lines = [line for marker in group[:MAX_IN_CARD] for line in marker.card]
    hidden = len(group) - MAX_IN_CARD
    return (*lines, f"and {hidden} more") if hidden > 0 else tuple(lines)


def position_labels(
    markers: Sequence[Marker], *, width: float, taken: Sequence[tuple[float, float]] = ()
) -> tuple[Marker, ...]:
    """Choose the side of each label. `taken`: further intervals of the lane that are not free."""
    points = [m.x for m in markers if not m.width]
    ordered = sorted((_free_of(m, points, width) for m in markers), key=lambda m: m.x)
    occupied = [(m.x - RADIUS, m.x + max(RADIUS, m.width)) for m in ordered] + list(taken)
    placed = []
    for index, marker in enumerate(ordered):
        if marker.width:
            placed.append(marker)
            continue
        own = occupied[index]
        others = [each for each in occupied if each is not own]
        length = label_width(marker.label)
        sides = {
            "right": (marker.x + LABEL_GAP, marker.x + LABEL_GAP + length),
            "left": (marker.x - LABEL_GAP - length, marker.x - LABEL_GAP),
        }
        side = next(
            (
                name
                for name, (left, right) in sides.items()
                if left >= 0
                and right <= width
                and all(right <= start or end <= left for start, end in others)
            ),
            "hidden",
        )
        if side != "hidden":
            occupied.append(sides[side])
        placed.append(replace(marker, side=side))
    return tuple(placed)


def _free_of(marker: Marker, points: Sequence[float], width: float) -> Marker:
    """An outline moves to the nearest space between the markers; other markers stay."""
    if not marker.width:
        return marker
    starts = [marker.x, *(x + MIN_DISTANCE for x in sorted(points) if x > marker.x)]
    starts += [x - MIN_DISTANCE - marker.width for x in sorted(points, reverse=True)]
    for start in starts:
        end = start + marker.width
        is_inside = start >= 0 and end <= width - RADIUS
        if is_inside and not any(start - RADIUS < x < end + RADIUS for x in points):
            return replace(marker, x=start)
    return replace(marker, x=max(min(marker.x, width - RADIUS - marker.width), 0))
