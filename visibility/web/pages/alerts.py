"""Pages of the alert inbox and of one alert, and the actions on alerts."""

from dataclasses import replace
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.keyset import InvalidCursor
from visibility.db.parse_id_and_time import parse_row_id
from visibility.db.sorted_pages import SortOrder
from visibility.models import Severity
from visibility.operations.operational_problems import current_problems
from visibility.screens.alerts import detail as alert_detail
from visibility.screens.alerts import inbox
from visibility.screens.alerts.alert_columns import ALERT_LIST
from visibility.screens.alerts.inbox import (
    BY_SEVERITY,
    LAST_RESOLVED_FIRST,
    VIEW_TITLES,
    InboxQuery,
    InboxViewName,
)
from visibility.screens.lists.load_page_and_count import RowCount
from visibility.web.alert_actions import (
    SNOOZE_PRESETS,
)
from visibility.web.list_page_context import (
    ListTools,
    build_list_tools,
    sort_or_default_with_problem,
    viewer_of_request,
)
from visibility.web.permissions import (
    ROLE_PERMISSIONS,
    Permission,
    has_permission,
    require_permission,
)

SORT_TITLES = {"severity": "Most severe", "-value": "Highest value", "-opened_at": "Newest"}
ACTION_ROLES = [role.value for role in sorted(ROLE_PERMISSIONS[Permission.ALERTS_MANAGE])]


def sees_source_alerts_only(request: HttpRequest) -> bool:
    """Whether the user sees source alerts only."""
    return viewer_of_request(request).sources_only


def parse_inbox_query(request: HttpRequest) -> InboxQuery:
    """Parse the query string of the inbox; unknown values fall back to the defaults."""
    viewer = viewer_of_request(request)
    sort, _ = sort_or_default_with_problem(ALERT_LIST, request.GET, viewer)
    return replace(ALERT_LIST.inbox_query(request.GET, viewer), sort=sort)


def inbox_query_string(inbox_query: InboxQuery, **other: str) -> str:
    """The query string of the inbox with some parameters changed."""
    params = {
        "view": inbox_query.view.value,
        "severity": inbox_query.severity,
        "rule": inbox_query.rule,
        "team": inbox_query.team,
        "sort": "" if inbox_query.sort == _default_sort(inbox_query) else inbox_query.sort.code,
    } | other
    return urlencode({name: value for name, value in params.items() if value})


def _default_sort(inbox_query: InboxQuery) -> SortOrder:
    is_resolved = inbox_query.view is InboxViewName.RESOLVED
    return LAST_RESOLVED_FIRST if is_resolved else BY_SEVERITY


@require_GET
@require_permission(Permission.ALERTS_SEE)
def inbox_page(request: HttpRequest) -> HttpResponse:
    """`/alerts`: the alerts of one view."""
    newest = latest_change_number()
    now, asked = database_now(), parse_inbox_query(request)
    try:
        page = inbox.load_inbox_page_of_view(
            asked, now=now, after=request.GET.get("after", "")[:400]
        )
    except InvalidCursor:
        return HttpResponseRedirect(f"/alerts?{inbox_query_string(asked)}")
    also = list(filter(None, map(parse_row_id, request.GET.get("also", "").split(",")[:100])))
    counts = inbox.count_by_view(asked, now)
    tools = build_list_tools(
        request,
        ALERT_LIST,
        viewer=viewer_of_request(request),
        count=RowCount(counts[asked.view]),
    )
    choices = inbox.all_rules_and_teams_as_filter_choices()
    return render(
        request,
        "alerts/inbox.html",
        {
            "live_head": newest,
            "now": now,
            "asked": asked,
            "title": VIEW_TITLES[asked.view],
            "page": page,
            "also": inbox.load_visible_alerts_with_ids(asked, also) if also else [],
            "total": counts[asked.view],
            "first": "after" not in request.GET,
            "views": [
                (view, VIEW_TITLES[view], counts[view], inbox_query_string(asked, view=view.value))
                for view in InboxViewName
            ],
            "problems": current_problems(now)
            if has_permission(request.user, Permission.SOURCES_SEE)
            else [],
            "active": counts[InboxViewName.OPEN] + counts[InboxViewName.ACKNOWLEDGED],
            "counts": counts,
            "sorts": _sort_options(tools),
            "sort_code": asked.sort.code,
            "list_tools": tools,
            "severities": Severity.choices,
            "choices": choices,
            "chips": _filter_chips(asked, choices),
            "query": inbox_query_string(asked),
            "next": inbox_query_string(asked, after=page.next) if page.next else "",
            "summary": inbox.load_last_breach_running_timers_and_next_due(
                now, sources_only=asked.sources_only
            )
            if not page.alerts and not _has_filters(asked)
            else None,
            **_permissions_and_form_options(request),
        },
    )


def _sort_options(tools: ListTools) -> list[tuple[str, str]]:
    """The codes and titles of the sort field, with the current order if a header has set it."""
    known = ALERT_LIST.sort_orders(tools.viewer)
    titles = {code: title for code, title in SORT_TITLES.items() if code in known}
    titles.setdefault(tools.sort.code, tools.sort_text.capitalize())
    return list(titles.items())


def _has_filters(inbox_query: InboxQuery) -> bool:
    return bool(inbox_query.severity or inbox_query.rule or inbox_query.team)


def _filter_chips(
    inbox_query: InboxQuery, choices: inbox.FilterChoices
) -> list[tuple[str, str, str]]:
    """(name, value, query string without it) of each active filter."""
    titles = {rule.code: rule.title for rule in choices.rules}
    chips = [
        ("Severity", inbox_query.severity, inbox_query_string(inbox_query, severity="")),
        (
            "Rule",
            titles.get(inbox_query.rule, inbox_query.rule),
            inbox_query_string(inbox_query, rule=""),
        ),
        ("Team", inbox_query.team, inbox_query_string(inbox_query, team="")),
    ]
    return [chip for chip in chips if chip[1]]


def _permissions_and_form_options(request: HttpRequest) -> dict[str, object]:
    """The permissions of the user, and the options of the forms."""
    can_handle = has_permission(request.user, Permission.ALERTS_MANAGE)
    return {
        "prices": has_permission(request.user, Permission.PRICES),
        "contacts": has_permission(request.user, Permission.CONTACTS),
        "can_manage": can_handle,
        "can_note": has_permission(request.user, Permission.ALERTS_NOTE),
        "can_resolve": has_permission(request.user, Permission.ALERTS_RESOLVE),
        "people": inbox.assignable_users(ACTION_ROLES) if can_handle else [],
        "presets": SNOOZE_PRESETS.items(),
    }


@require_GET
@require_permission(Permission.ALERTS_SEE)
def alert_page(request: HttpRequest, alert_id: int) -> HttpResponse:
    """`/alerts/<id>`: one alert with its explanation, response and history."""
    newest = latest_change_number()
    now = database_now()
    detail = alert_detail.load_alert_detail(
        alert_id, now=now, sources_only=sees_source_alerts_only(request)
    )
    if detail is None:
        raise Http404
    return render(
        request,
        "alerts/alert.html",
        {
            "live_head": newest,
            "now": now,
            "detail": detail,
            "alert": detail.alert,
            "active": detail.alert.state not in inbox.CLOSED,
            **_permissions_and_form_options(request),
        },
    )


urlpatterns = [
    path("alerts", inbox_page, name="alerts"),
    path("alerts/<int:alert_id>", alert_page, name="alert"),
]
