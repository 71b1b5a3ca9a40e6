"""What the form for arranging a board shows: tiles to add, filters, and whom to share it with."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, QueryDict

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


def settings_of_board(board: StoredBoard) -> dict[str, str]:
    """The values of the form for title, filters and sharing."""
    return {
        "title": board.title,
        **{name: getattr(board.scope, name) for name in COLUMNS},
        "sharing": board.sharing,
        "team": board.team.slug if board.team else "",
    }


def entered_settings(form: QueryDict, board: StoredBoard) -> dict[str, str]:
    """The values that were entered; one without a field is the stored one."""
    stored = settings_of_board(board)
    return {name: form.get(name, text).replace("\0", "")[:400] for name, text in stored.items()}


def settings_by_label(values: Mapping[str, str]) -> dict[str, str]:
    """The values as people read them."""
    labels = {name: label for name, (label, _) in FILTER_LABELS.items()}
    labels |= {"title": "Board title", "sharing": "Who sees it", "team": "Team"}
    sharing = dict(BoardSharing.choices)
    texts = {
        "channel": sales_channel_label(values["channel"]),
        "sharing": str(sharing.get(values["sharing"], values["sharing"])),
    }
    return {labels[name]: texts.get(name, value) for name, value in values.items()}


def arrange_context(
    request: HttpRequest, board: StoredBoard, entered: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The context of the form, with stored or `entered` settings; four statements."""
    values = entered or settings_of_board(board)
    tiles = sorted(tile_registry().items(), key=lambda pair: pair[1].title)
    return {
        "settings": values,
        "tile_choices": [(code, kind.title) for code, kind in tiles],
        "filters": [
            (name, *FILTER_LABELS[name], chosen, _choices(name, chosen))
            for name in COLUMNS
            for chosen in (values[name],)
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
