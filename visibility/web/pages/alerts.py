"""Pages of the alert inbox and of one alert, and the actions on alerts."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser, User
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
from visibility.preferences.demo_tour import READ_WHY
from visibility.screens.alerts import choices_of_forms, groups, inbox
from visibility.screens.alerts import detail as alert_detail
from visibility.screens.alerts.alert_columns import ALERT_LIST
from visibility.screens.alerts.grouping import AlertGrouping, GroupSort
from visibility.screens.alerts.inbox import (
    BY_SEVERITY,
    BY_VALUE,
    LAST_RESOLVED_FIRST,
    VIEW_TITLES,
    InboxQuery,
    InboxViewName,
)
from visibility.screens.alerts.money_of_view import money_of_view
from visibility.screens.lists.load_page_and_count import RowCount
from visibility.screens.orders import people_on_order
from visibility.screens.setup.demo_tour import TOUR_PO
from visibility.web.alert_actions import SNOOZE_PRESETS
from visibility.web.demo_tour_pages import note_tour_page
from visibility.web.list_page_context import (
    build_list_tools,
    sort_or_default_with_problem,
    viewer_of_request,
)
from visibility.web.mentionable_users import mentionable_users_of_alert, suggested_colleagues
from visibility.web.page_access import check_record
from visibility.web.permissions import (
    ROLE_PERMISSIONS,
    Permission,
    UserRole,
    has_permission,
    require_permission,
    roles,
    signed_in_user,
)

MAX_ID = 2**63 - 1
GROUPING_TITLES = {
    AlertGrouping.CAUSE: "By cause",
    AlertGrouping.ORDER: "By order",
    AlertGrouping.CUSTOMER: "By customer",
    AlertGrouping.NONE: "One by one",
}
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
        "group": inbox_query.group,
        "by": inbox_query.by.value if inbox_query.by is not AlertGrouping.CAUSE else "",
        "sort": _sort_code(inbox_query, other.get("by", inbox_query.by.value)),
        **inbox_query.scope.inbox_values,
    } | other
    return urlencode({name: value for name, value in params.items() if value})


def _sort_code(inbox_query: InboxQuery, by: str) -> str:
    """The order of the groups, or of the alerts one by one; empty for the default."""
    if by == AlertGrouping.NONE:
        is_default = inbox_query.sort == _default_sort(inbox_query)
        return "" if is_default else inbox_query.sort.code
    group_sort = inbox_query.group_sort
    return "" if group_sort is GroupSort.SEVERITY else group_sort.value


def _default_sort(inbox_query: InboxQuery) -> SortOrder:
    is_resolved = inbox_query.view is InboxViewName.RESOLVED
    return LAST_RESOLVED_FIRST if is_resolved else BY_SEVERITY


@require_GET
@require_permission(Permission.ALERTS_SEE)
def inbox_page(request: HttpRequest) -> HttpResponse:
    """`/alerts`: the alerts of one view, in groups or one by one."""
    newest = latest_change_number()
    now, asked = database_now(), parse_inbox_query(request)
    start = min(parse_row_id(request.GET.get("start", "")) or 0, groups.MAX_START)
    is_list = asked.by is AlertGrouping.NONE
    try:
        page = (
            inbox.load_inbox_page_of_view(asked, now=now, after=request.GET.get("after", "")[:400])
            if is_list
            else inbox.InboxPage([], "")
        )
    except InvalidCursor:
        return HttpResponseRedirect(f"/alerts?{inbox_query_string(asked)}")
    grouping = asked if not is_list else replace(asked, by=AlertGrouping.CAUSE)
    group_page = groups.load_group_page(grouping, now, start=start)
    also = list(filter(None, map(parse_row_id, request.GET.get("also", "").split(",")[:150])))
    counts = inbox.count_by_view(asked, now)
    tools = (
        build_list_tools(
            request,
            ALERT_LIST,
            viewer=viewer_of_request(request),
            count=RowCount(counts[asked.view]),
        )
        if is_list
        else None
    )
    choices = choices_of_forms.all_rules_and_teams_as_filter_choices()
    next_page = {"after": page.next} if page.next else {"start": str(group_page.next_start)}
    has_next = bool(page.next) or (not is_list and group_page.next_start is not None)
    permissions = _permissions_and_form_options(request)
    return render(
        request,
        "alerts/inbox.html",
        {
            "live_head": newest,
            "now": now,
            "asked": asked,
            "is_list": is_list,
            "title": VIEW_TITLES[asked.view],
            "page": page,
            "groups": [] if is_list else add_group_urls(asked, group_page.groups),
            "causes": group_page.total,
            "money": money_of_view(asked, group_page, now) if permissions["prices"] else [],
            "also": inbox.load_visible_alerts_with_ids(asked, also) if also else [],
            "total": counts[asked.view],
            "first": "after" not in request.GET and not start,
            "views": [
                (view, VIEW_TITLES[view], counts[view], inbox_query_string(asked, view=view.value))
                for view in InboxViewName
            ],
            "groupings": [
                (by, label, inbox_query_string(asked, by=by.value))
                for by, label in GROUPING_TITLES.items()
            ],
            "problems": current_problems(now)
            if has_permission(request.user, Permission.SOURCES_SEE)
            else [],
            "active": counts[InboxViewName.OPEN] + counts[InboxViewName.ACKNOWLEDGED],
            "counts": counts,
            "sorts": _sort_links(asked),
            "sort_code": _sort_code(asked, asked.by.value),
            "list_tools": tools,
            "severities": Severity.choices,
            "choices": choices,
            "chips": _filter_chips(
                asked, choices, groups.load_group(asked, now) if asked.group else None
            ),
            "query": inbox_query_string(asked),
            "list_query": inbox_query_string(asked, by=AlertGrouping.NONE.value),
            "cause_query": inbox_query_string(asked, by=AlertGrouping.CAUSE.value),
            "unassigned_query": inbox_query_string(
                asked, by=AlertGrouping.NONE.value, view=InboxViewName.UNASSIGNED.value
            ),
            "money_query": inbox_query_string(
                asked, by=AlertGrouping.NONE.value, sort=BY_VALUE.code
            ),
            "next": inbox_query_string(asked, **next_page) if has_next else "",
            "summary": inbox.load_last_breach_running_timers_and_next_due(
                now, sources_only=asked.sources_only
            )
            if not counts[asked.view] and not asked.has_filters
            else None,
            **permissions,
        },
    )


def add_group_urls(
    asked: InboxQuery, loaded: Sequence[groups.AlertGroup]
) -> list[tuple[groups.AlertGroup, str]]:
    """Each group with the query string of its alerts, one by one."""
    by = AlertGrouping.NONE.value
    return [(group, inbox_query_string(asked, by=by, group=group.key)) for group in loaded]


def _sort_links(asked: InboxQuery) -> dict[str, tuple[str, bool]]:
    """For each sort order of groups its query string, and whether it is the current one."""
    return {
        sort.value: (inbox_query_string(asked, sort=sort.value), sort is asked.group_sort)
        for sort in GroupSort
    }


def _filter_chips(
    inbox_query: InboxQuery,
    choices: choices_of_forms.FilterChoices,
    group: groups.AlertGroup | None,
) -> list[tuple[str, str, str]]:
    """(name, value, query string without it) of each active filter."""
    rules = {rule.code: rule.title for rule in choices.rules}
    group_title = group.text if group else "nothing left in it"
    chips = [
        ("Severity", inbox_query.severity, {"severity": ""}),
        ("Rule", rules.get(inbox_query.rule, inbox_query.rule), {"rule": ""}),
        ("Team", inbox_query.team, {"team": ""}),
        *(
            (name.replace("_", " ").capitalize(), value, {name: ""})
            for name, value in inbox_query.scope.inbox_values.items()
        ),
        ("Group", group_title if inbox_query.group else "", {"group": "", "by": ""}),
    ]
    return [
        (name, value, inbox_query_string(inbox_query, **without))
        for name, value, without in chips
        if value
    ]


def _permissions_and_form_options(request: HttpRequest) -> dict[str, object]:
    """The permissions of the user, and the options of the forms."""
    can_handle = has_permission(request.user, Permission.ALERTS_MANAGE)
    return {
        "prices": has_permission(request.user, Permission.PRICES),
        "contacts": has_permission(request.user, Permission.CONTACTS),
        "can_manage": can_handle,
        "can_note": has_permission(request.user, Permission.ALERTS_NOTE),
        "can_resolve": has_permission(request.user, Permission.ALERTS_RESOLVE),
        "people": choices_of_forms.assignable_users(ACTION_ROLES) if can_handle else [],
        "presets": SNOOZE_PRESETS.items(),
    }


def may_see_alert(user: User | AnonymousUser, alert_id: int) -> bool:
    """Whether the user may open the alert; integrators see only those about sources."""
    if roles(user) != {UserRole.INTEGRATOR}:
        return True
    return inbox.visible_alerts(sources_only=True).filter(pk=min(alert_id, MAX_ID)).exists()


@require_GET
@require_permission(Permission.ALERTS_SEE)
@check_record(may_see_alert)
def alert_page(request: HttpRequest, alert_id: int) -> HttpResponse:
    """`/alerts/<id>`: one alert with its explanation, response and history."""
    newest = latest_change_number()
    now = database_now()
    detail = alert_detail.load_alert_detail(
        alert_id, now=now, sources_only=sees_source_alerts_only(request)
    )
    if detail is None:
        raise Http404
    if detail.order is not None and detail.order.customer_po == TOUR_PO:
        note_tour_page(request, READ_WHY)
    return render(
        request,
        "alerts/alert.html",
        {
            "live_head": newest,
            "now": now,
            "detail": detail,
            "alert": detail.alert,
            "is_watched": detail.order is not None
            and people_on_order.is_watched_by(detail.order.pk, signed_in_user(request)),
            "active": detail.alert.state not in inbox.CLOSED,
            "colleagues": suggested_colleagues(
                mentionable_users_of_alert(alert_id), request.user.pk or 0
            )
            if has_permission(request.user, Permission.ALERTS_NOTE)
            else [],
            **_permissions_and_form_options(request),
        },
    )


urlpatterns = [
    path("alerts", inbox_page, name="alerts"),
    path("alerts/<int:alert_id>", alert_page, name="alert"),
]
