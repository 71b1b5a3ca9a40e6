"""The content of a board tile. A template that fails does not affect the other tiles."""

from typing import Any

from django import template
from django.template.context import RequestContext
from django.template.loader import get_template
from structlog.stdlib import get_logger

from visibility.boards.load_board_and_tiles import LoadedTile

log = get_logger(__name__)
register = template.Library()


@register.simple_tag(takes_context=True)
def render_tile_or_failure(context: RequestContext, tile: LoadedTile) -> str:
    """Render the template of a tile, with its data as `d`; if it fails, say so."""
    values: dict[str, Any] = {str(name): value for name, value in context.flatten().items()}
    values |= {"tile": tile, "d": tile.data}
    if not tile.failed:
        try:
            return get_template(tile.template).render(values)
        except Exception:  # shown on the tile; the others go on
            log.exception("tile_template_failed", tile=tile.code)
    return get_template("boards/tile_failed.html").render(values)
