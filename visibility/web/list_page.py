"""One page of a list for its template: rows, links to the other pages, filters and tools."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from visibility.db.sorted_pages import load_sorted_rows
from visibility.screens.lists.list_definition import ListDefinition, Viewer
from visibility.screens.lists.load_page_and_count import count_filtered_rows
from visibility.web.list_filter_context import build_filter_tools
from visibility.web.list_page_context import build_list_tools, query_without_page

PAGE_SIZE = 50


def build_list_page(
    request: HttpRequest, definition: ListDefinition, *, viewer: Viewer, now: datetime
) -> dict[str, Any]:
    """The context of `components/list_pages.html`, `no_rows.html` and the tools of the list.

    `rows`: of this page. `next`, `first`: query strings of the next and the first page.
    """
    query = request.GET
    objects = definition.queryset(query, viewer, now)
    count = count_filtered_rows(objects)
    tools = build_list_tools(request, definition, viewer=viewer, count=count)
    page = load_sorted_rows(
        objects,
        tools.sort,
        limit=PAGE_SIZE + 1,
        after=tools.sort.sort_key_or_none_from_cursor(query.get("after", "")),
    )
    shown = page[:PAGE_SIZE]
    first = query_without_page(query)
    following = first.copy()
    if len(page) > len(shown):
        following["after"] = tools.sort.cursor_after(shown[-1])
    return {
        "now": now,
        "rows": definition.rows_of_objects(shown, viewer, now),
        "count": count,
        "next": following.urlencode() if len(page) > len(shown) else "",
        "first": first.urlencode(),
        "is_first": "after" not in query,
        "filter_tools": build_filter_tools(request, definition, viewer=viewer),
        "list_tools": tools,
    }
