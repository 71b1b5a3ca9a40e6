"""Tables on their way out as files."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from visibility.master_data import export
from visibility.master_data.export import Filters
from visibility.master_data.tables import Table

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def exported(
    request: HttpRequest, table: Table, form: str, *, filters: Filters | None = None
) -> HttpResponseBase:
    """A table on its way as a file. Raises TooMany."""
    name = f"{table.code}.{form}"
    if form == "xlsx":
        return FileResponse(
            export.xlsx_file(table, filters),
            as_attachment=True,
            filename=name,
            content_type=MEDIA[form],
        )
    lines = export.csv_lines(table, filters)
    return StreamingHttpResponse(
        # Under ASGI a plain iterator would be gathered whole before the first byte is sent.
        _streamed(lines) if isinstance(request, ASGIRequest) else lines,
        content_type=MEDIA[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
