"""Exports of the filtered rows of a list as CSV or XLSX."""

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from visibility.db.database_time import database_now
from visibility.export.list_files import ListExport, ListFileFormat, TooManyRowsForXlsx
from visibility.screens.lists.list_definition import ListDefinition
from visibility.web.list_export_download import audited_list_export_response
from visibility.web.list_page_context import (
    query_without_page,
    sort_or_default_with_problem,
    viewer_of_request,
)
from visibility.web.permissions import signed_in_user


def list_export_response(
    request: HttpRequest, definition: ListDefinition, file_format: ListFileFormat
) -> HttpResponseBase:
    """The file with the filters, the order and the visible columns of the page.

    With too many rows for XLSX the page opens with a sentence that says so.
    """
    query, now = query_without_page(request.GET), database_now()
    viewer = viewer_of_request(request)
    sort, problem = sort_or_default_with_problem(definition, query, viewer)
    back = f"{definition.url}?{query.urlencode()}"
    if problem:
        return redirect(back)
    export = ListExport(
        definition=definition,
        query=query,
        sort=sort,
        columns=definition.visible_columns(viewer),
        viewer=viewer,
        now=now,
        rows=definition.queryset(query, viewer, now),
        filter_texts=definition.filter_texts(query, viewer),
    )
    try:
        return audited_list_export_response(
            request,
            export,
            file_format=file_format,
            by=signed_in_user(request),
            parameters=dict(query.lists()),
        )
    except TooManyRowsForXlsx as error:
        notes.warning(request, str(error))
        return redirect(back)
