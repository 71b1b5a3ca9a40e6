"""Send master data tables as CSV or XLSX files."""

from collections.abc import AsyncGenerator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from visibility.master_data import export
from visibility.master_data.export import RowFilters
from visibility.master_data.tables import MasterTable

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def table_response(
    request: HttpRequest, table: MasterTable, file_format: str, *, filters: RowFilters | None = None
) -> HttpResponseBase:
    """The table as a file response. Raises TooManyRows."""
    name = f"{table.code}.{file_format}"
    if file_format == "xlsx":
        return FileResponse(
            export.xlsx_file(table, filters),
            as_attachment=True,
            filename=name,
            content_type=MEDIA_TYPES[file_format],
        )
    lines = export.csv_chunks(table, filters)
    return StreamingHttpResponse(
        # Under ASGI, Django reads a synchronous iterator completely before sending.
        to_async_iterator(lines) if isinstance(request, ASGIRequest) else lines,
        content_type=MEDIA_TYPES[file_format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def to_async_iterator(chunks: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The chunks, made by the thread of the request, which has the database connection.

    If the client has left, a source with `close()` is closed, and with it its database cursor.
    """
    try:
        while (chunk := await sync_to_async(_next_chunk_or_none)(chunks)) is not None:
            yield chunk
    finally:
        if close := getattr(chunks, "close", None):
            await sync_to_async(close)()


def _next_chunk_or_none(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)
