"""Send an export: written completely to a temporary file, then streamed."""

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.http import StreamingHttpResponse

from visibility.export.export_orders_in_format import FORMAT_INFO, Format, export_orders
from visibility.export.redaction import Redaction
from visibility.export.snapshot_to_temp_tables import OrderSelection
from visibility.models.audit import append_audit_entry
from visibility.web.permissions import Permission, has_permission
from visibility.web.send_files import stream_file_blocks


def audited_order_export_response(
    selection: OrderSelection,
    *,
    format: Format,
    by: User,
    parameters: dict[str, Any],
    now: datetime,
) -> StreamingHttpResponse:
    """Export what the user may see and record it in the audit log.

    Raises TooManyOrders, TooManyExports.
    """
    redaction = Redaction(
        prices=has_permission(by, Permission.PRICES),
        contacts=has_permission(by, Permission.CONTACTS),
    )
    handle, name = tempfile.mkstemp(suffix=f".{FORMAT_INFO[format].suffix}")
    os.close(handle)
    path = Path(name)
    try:
        count = export_orders(selection, format=format, path=path, redaction=redaction, now=now)
        out = path.open("rb")
    finally:
        # The open file stays readable after unlink, and nothing is left behind.
        path.unlink()
    detail = {"format": format.value, "orders": count, "asked": parameters}
    append_audit_entry("export", user=by, object=f"{count} orders", detail=detail, now=now)
    filename = f"throughline-{now:%Y%m%d-%H%M%S}.{FORMAT_INFO[format].suffix}"
    return StreamingHttpResponse(
        stream_file_blocks(out),
        content_type=FORMAT_INFO[format].media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{filename}"',
            "Content-Length": str(os.fstat(out.fileno()).st_size),
            "Cache-Control": "no-store",
        },
    )
