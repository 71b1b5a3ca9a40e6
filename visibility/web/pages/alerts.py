"""Pages of the alert inbox and of one alert, and the actions on alerts."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.keyset import InvalidCursor
from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import Severity
from visibility.operations.operational_problems import current_problems
from visibility.screens.alerts import detail as alert_detail
from visibility.screens.alerts import inbox
from visibility.screens.alerts.inbox import (
    SORT_TITLES,
    VIEW_TITLES,
    AlertSort,
    InboxQuery,
    InboxViewName,
)
from visibility.screens.orders.order_scope import OrderScope
from visibility.web.alert_actions import (
    SNOOZE_PRESETS,
)
from visibility.web.permissions import (
    ROLE_PERMISSIONS,
    Permission,
    UserRole,
    has_permission,
    require_permission,
    roles,
)

ACTION_ROLES = [role.value for role in sorted(ROLE_PERMISSIONS[Permission.ALERTS_MANAGE])]


def sees_source_alerts_only(request: HttpRequest) -> bool:
    """Whether the user sees source alerts only."""
    return roles(request.user) == {UserRole.INTEGRATOR}


def parse_inbox_query(request: HttpRequest) -> InboxQuery:
    """Parse the query string of the inbox; unknown values fall back to the defaults."""
    asked = request.GET
    view, sort, severity = asked.get("view", ""), asked.get("sort", ""), asked.get("severity", "")
    return InboxQuery(
        user_id=request.user.pk or 0,
        view=InboxViewName(view) if view in set(InboxViewName) else InboxViewName.OPEN,
        severity=severity if severity in set(Severity) else "",
        rule=asked.get("rule", "")[:50],
        team=asked.get("team", "")[:80],
        sort=AlertSort(sort) if sort in set(AlertSort) else AlertSort.SEVERITY,
        sources_only=sees_source_alerts_only(request),
        scope=OrderScope.from_query(asked.dict()),
    )


def inbox_query_string(inbox_query: InboxQuery, **other: str) -> str:
    """The query string of the inbox with some parameters changed."""
    params = {
        "view": inbox_query.view.value,
        "severity": inbox_query.severity,
        "rule": inbox_query.rule,
        "team": inbox_query.team,
        "sort": inbox_query.sort.value if inbox_query.sort is not AlertSort.SEVERITY else "",
        **inbox_query.scope.values,
    } | other
    return urlencode({name: value for name, value in params.items() if value})


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
            "sorts": SORT_TITLES.items(),
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


def _has_filters(inbox_query: InboxQuery) -> bool:
    return bool(inbox_query.severity or inbox_query.rule or inbox_query.team or inbox_query.scope)


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
        *(
            (name.capitalize(), value, inbox_query_string(inbox_query, **{name: ""}))
            for name, value in inbox_query.scope.values.items()
        ),
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
