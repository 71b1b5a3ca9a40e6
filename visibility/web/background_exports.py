"""Large exports of lists: what the pages and the API share."""

import tempfile
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.http import FileResponse, HttpRequest

from visibility.db.sorted_pages import count_rows_up_to
from visibility.export.background_exports import JOB, file_chunks, request_background_export
from visibility.export.list_files import ListExport, ListFileFormat
from visibility.formatting import format_date, in_zone
from visibility.models import BackgroundExport, BackgroundExportState
from visibility.models.permission import Permission
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.screens.list_registry import LISTS
from visibility.screens.lists.list_definition import Viewer
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.send_files import temporary_file_response

MAX_DIRECT_ROWS = 50_000
# The ids of exports of this session that are in progress, or that the person has not seen.
SESSION_KEY = "background_exports"
MAX_NOTICES = 20


class DownloadRefused(PermissionError):
    """The person may see less than the file has; the message says so."""


def request_export_if_large(
    export: ListExport, file_format: ListFileFormat, owner: User
) -> BackgroundExport | None:
    """Ask a worker for a CSV file with more rows than a direct download has.

    None: the export is sent at once. Raises TooManyBackgroundExports.
    """
    is_csv = file_format is ListFileFormat.CSV
    if not is_csv or count_rows_up_to(export.rows, MAX_DIRECT_ROWS) is not None:
        return None
    requested = request_background_export(export, owner)
    ask_worker_to_run_job_now(JOB)
    return requested


def exports_of(owner: User, *, before: int | None = None, limit: int) -> Sequence[BackgroundExport]:
    """The exports of a person, the newest first."""
    exports = BackgroundExport.objects.filter(owner=owner).order_by("-id")
    return list((exports.filter(pk__lt=before) if before else exports)[:limit])


def find_own_export(owner: User, export_id: int) -> BackgroundExport | None:
    """The export, if it is of this person."""
    return BackgroundExport.objects.filter(owner=owner, pk=min(export_id, 2**63 - 1)).first()


def delete_export(export: BackgroundExport) -> None:
    """Delete an export with its file; a worker that writes it then stores nothing."""
    BackgroundExport.objects.filter(pk=export.pk).delete()


def export_file_response(
    request: HttpRequest, export: BackgroundExport, viewer: Viewer
) -> FileResponse:
    """The file. Raises DownloadRefused if the person may see less than when it was written."""
    if sentence := why_not_downloadable(export, viewer):
        raise DownloadRefused(sentence)
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    for chunk in file_chunks(export.pk):
        file.write(chunk)
    file.seek(0)
    at = in_zone(export.requested_at, "UTC")
    name = f"{export.list}-{at:%Y%m%d-%H%M%S}.csv"
    return temporary_file_response(request, file, name, MEDIA_TYPES["csv"])


def why_not_downloadable(export: BackgroundExport, viewer: Viewer) -> str:
    """A sentence if the person may not have the file now; empty if they may."""
    definition = LISTS.get(export.list)
    if definition is None or not viewer.may(definition.permission):
        return "You may no longer open this list."
    if refusal := definition.export_refusal(viewer):
        return refusal
    shown = {Permission.PRICES, Permission.CONTACTS} & set(export.permissions)
    if not {Permission.EXPORT, *shown} <= viewer.permissions:
        return "You may no longer see everything in this file. Export the list again."
    return ""


def remember_in_session(request: HttpRequest, export: BackgroundExport) -> None:
    """Show a notice on the pages of this session when the export is finished."""
    ids = request.session.get(SESSION_KEY, [])
    request.session[SESSION_KEY] = [*ids, export.pk][-MAX_NOTICES:]


def forget_in_session(request: HttpRequest, finished: Sequence[BackgroundExport]) -> None:
    """Show no notice of these any more."""
    ids = request.session.get(SESSION_KEY)
    remaining = [pk for pk in ids or [] if pk not in {export.pk for export in finished}]
    if ids and remaining != ids:
        request.session[SESSION_KEY] = remaining


def ids_in_session(request: HttpRequest) -> Sequence[int]:
    """The exports of this session that are in progress, or not yet seen."""
    return request.session.get(SESSION_KEY, []) if hasattr(request, "session") else []


def finished_exports_of_session(request: HttpRequest) -> Sequence[BackgroundExport]:
    """Exports to show a notice of. No statement if the session has none in progress."""
    ids = ids_in_session(request)
    if not ids:
        return []
    finished = (BackgroundExportState.READY, BackgroundExportState.FAILED)
    exports = BackgroundExport.objects.filter(pk__in=ids, owner=request.user.pk)
    return list(exports.filter(state__in=finished).order_by("id"))


def title_of_export(export: BackgroundExport) -> str:
    """The title of its list."""
    definition = LISTS.get(export.list)
    return definition.title if definition else export.list


def expiry_text(export: BackgroundExport, zone: str) -> str:
    """The day until which the file is stored; empty while it is written."""
    if export.expires_at is None:
        return ""
    return format_date(in_zone(export.expires_at, zone).date(), year=True)
