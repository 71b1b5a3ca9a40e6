"""What the form for arranging a board shows: tiles to add, filters, and whom to share it with."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from visibility.boards.stored_boards import StoredBoard
from visibility.boards.tile_registry import tile_registry
from visibility.db.parse_id_and_time import parse_row_version
from visibility.formatting import sales_channel_label
from visibility.models import BoardSharing, Order
from visibility.models.teams import Team
from visibility.screens.orders.order_scope import COLUMNS

MAX_CHOICES = 200
FILTER_LABELS = {
    "warehouse": ("Warehouse", "All warehouses"),
    "channel": ("Channel", "All channels"),
    "group": ("Customer group", "All customer groups"),
}


def arrange_context(request: HttpRequest, board: StoredBoard) -> dict[str, Any]:
    """The context of the form; four statements."""
    tiles = sorted(tile_registry().items(), key=lambda pair: pair[1].title)
    return {
        "tile_choices": [(code, kind.title) for code, kind in tiles],
        "filters": [
            (name, *FILTER_LABELS[name], chosen, _choices(name, chosen))
            for name in COLUMNS
            for chosen in (getattr(board.scope, name),)
        ],
        "sharing_choices": BoardSharing.choices,
        "teams": list(Team.objects.order_by("title")[:MAX_CHOICES]),
        # The button that was pressed keeps the focus.
        "focus_tile": parse_row_version(request.GET.get("tile", "")),
        "focus_action": request.GET.get("did", ""),
        "last_tile": len(board.entries) - 1,
    }


def _choices(name: str, chosen: str) -> Sequence[tuple[str, str]]:
    """The values of open orders, and the one that is chosen."""
    column = COLUMNS[name]
    rows = Order.objects.filter(is_open=True).exclude(**{column: ""})
    values = {*rows.values_list(column, flat=True).distinct()[:MAX_CHOICES], chosen} - {""}
    label = sales_channel_label if name == "channel" else str
    return [(value, label(value)) for value in sorted(values)]
