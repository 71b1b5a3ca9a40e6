"""The alert inbox, one alert, and what people do with them."""

from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from visibility.db.change_feed import head
from visibility.db.clock import database_now
from visibility.models import Alert, AlertState, Severity
from visibility.notify.broadcast import announce
from visibility.operations.problems import troubles
from visibility.screens.alerts import detail as one
from visibility.screens.alerts import inbox as inbox
from visibility.screens.alerts.inbox import SORT_TITLES, VIEW_TITLES, BadCursor, Sort, View, Wanted
from visibility.web.alert_actions import ACTS, PRESETS, BadAct, perform
from visibility.web.permissions import MATRIX, Right, Role, may, needs, roles

MAX_BULK = 500
# Titles of refused ones that are listed; the rest is counted.
LISTED = 3
STILL_TRUE = "Still true: the promise is broken"
ACT_ROLES = [role.value for role in sorted(MATRIX[Right.ALERTS_ACT])]


def sources_only(request: HttpRequest) -> bool:
    """Whether this person is shown the alerts of sources only."""
    return roles(request.user) == {Role.INTEGRATOR}


def wanted(request: HttpRequest) -> Wanted:
    """The inbox's address as a question; what it does not know it leaves out."""
    asked = request.GET
    view, sort, severity = asked.get("view", ""), asked.get("sort", ""), asked.get("severity", "")
    return Wanted(
        person=request.user.pk or 0,
        view=View(view) if view in set(View) else View.OPEN,
        severity=severity if severity in set(Severity) else "",
        rule=asked.get("rule", "")[:50],
        team=asked.get("team", "")[:80],
        sort=Sort(sort) if sort in set(Sort) else Sort.WORST,
        sources_only=sources_only(request),
    )


def query(asked: Wanted, **other: str) -> str:
    """The address of this question, with some of it changed."""
    parts = {
        "view": asked.view.value,
        "severity": asked.severity,
        "rule": asked.rule,
        "team": asked.team,
        "sort": asked.sort.value if asked.sort is not Sort.WORST else "",
    } | other
    return urlencode({name: value for name, value in parts.items() if value})


@require_GET
@needs(Right.ALERTS_SEE)
def inbox_page(request: HttpRequest) -> HttpResponse:
    """`/alerts`: what needs a person now."""
    newest = head()
    now, asked = database_now(), wanted(request)
    try:
        page = inbox.page(asked, now=now, after=request.GET.get("after", "")[:400])
    except BadCursor:
        return HttpResponseRedirect(f"/alerts?{query(asked)}")
    also = [int(n) for n in request.GET.get("also", "").split(",")[:100] if n.isdecimal()]
    counts = inbox.counts(asked, now)
    choices = inbox.choices()
    return render(
        request,
        "alerts/inbox.html",
        {
            "live_head": newest,
            "now": now,
            "asked": asked,
            "title": VIEW_TITLES[asked.view],
            "page": page,
            "also": inbox.rows(asked, also) if also else [],
            "total": counts[asked.view],
            "first": "after" not in request.GET,
            "views": [
                (view, VIEW_TITLES[view], counts[view], query(asked, view=view.value))
                for view in View
            ],
            "troubles": troubles(now) if may(request.user, Right.SOURCES_SEE) else [],
            "standing": counts[View.OPEN] + counts[View.ACKNOWLEDGED],
            "counts": counts,
            "sorts": SORT_TITLES.items(),
            "severities": Severity.choices,
            "choices": choices,
            "chips": _chips(asked, choices),
            "query": query(asked),
            "next": query(asked, after=page.next) if page.next else "",
            "quiet": inbox.quiet(now, sources_only=asked.sources_only)
            if not page.alerts and not _narrow(asked)
            else None,
            **_abilities(request),
        },
    )


def _narrow(asked: Wanted) -> bool:
    return bool(asked.severity or asked.rule or asked.team)


def _chips(asked: Wanted, choices: inbox.Choices) -> list[tuple[str, str, str]]:
    """The filters that are set: their name, their value, and the address without them."""
    titles = {rule.code: rule.title for rule in choices.rules}
    chips = [
        ("Severity", asked.severity, query(asked, severity="")),
        ("Rule", titles.get(asked.rule, asked.rule), query(asked, rule="")),
        ("Team", asked.team, query(asked, team="")),
    ]
    return [chip for chip in chips if chip[1]]


def _abilities(request: HttpRequest) -> dict[str, object]:
    """What the person may see and do, and what the forms offer."""
    can_act = may(request.user, Right.ALERTS_ACT)
    return {
        "prices": may(request.user, Right.PRICES),
        "contacts": may(request.user, Right.CONTACTS),
        "can_act": can_act,
        "can_note": may(request.user, Right.ALERTS_NOTE),
        "can_resolve": may(request.user, Right.ALERTS_RESOLVE),
        "people": inbox.people(ACT_ROLES) if can_act else [],
        "presets": PRESETS.items(),
    }


@require_GET
@needs(Right.ALERTS_SEE)
def alert_page(request: HttpRequest, alert_id: int) -> HttpResponse:
    """`/alerts/<id>`: why it fired, what to do, what was done."""
    newest = head()
    now = database_now()
    found = one.detail(alert_id, now=now, sources_only=sources_only(request))
    if found is None:
        raise Http404
    return render(
        request,
        "alerts/alert.html",
        {
            "live_head": newest,
            "now": now,
            "detail": found,
            "alert": found.alert,
            "standing": found.alert.state not in inbox.OVER,
            **_abilities(request),
        },
    )


@require_POST
@needs(Right.ALERTS_SEE)
def act(request: HttpRequest, alert_id: int, what: str) -> HttpResponse:
    """`POST /alerts/<id>/<act>`: one act on one alert, then back."""
    now = _allowed(request, what)
    if not inbox.visible(sources_only=sources_only(request)).filter(pk=alert_id).exists():
        raise Http404
    try:
        alert = perform(what, alert_id, by=_person(request), data=request.POST.dict(), now=now)
    except BadAct as refused:
        messages.error(request, str(refused))
    else:
        announce(head(), ["alert"])
        if _still_true(what, alert):
            messages.warning(request, f"{STILL_TRUE}, so it opened again. Snooze it instead?")
        else:
            messages.success(request, ACTS[what].done + ".")
    return HttpResponseRedirect(_back(request, f"/alerts/{alert_id}"))


@require_POST
@needs(Right.ALERTS_SEE)
def bulk(request: HttpRequest) -> HttpResponse:
    """`POST /alerts/bulk`: one act on a selection, or on all that match; says what happened."""
    asked = wanted(request)
    what, data = _chosen(request)
    now = _allowed(request, what)
    seen = inbox.visible(sources_only=asked.sources_only)
    if request.POST.get("all"):
        ids = inbox.matching(asked, now=now, limit=MAX_BULK)
    else:
        chosen = [int(n) for n in request.POST.getlist("ids")[:MAX_BULK] if n.isdecimal()]
        ids = list(
            seen.filter(pk__in=[n for n in chosen if n < 2**63])
            .order_by("due_at", "pk")
            .values_list("pk", flat=True)
        )
    if not ids:
        messages.error(request, "Nothing was selected.")
        return HttpResponseRedirect(_back(request, f"/alerts?{query(asked)}"))
    done: list[Alert] = []
    refused: list[tuple[int, str]] = []
    for number in ids:
        try:
            done.append(perform(what, number, by=_person(request), data=data, now=now))
        except BadAct as error:
            refused.append((number, str(error)))
    announce(head(), ["alert"])
    _report(request, what, done=done, refused=refused)
    return HttpResponseRedirect(_back(request, f"/alerts?{query(asked)}"))


def _chosen(request: HttpRequest) -> tuple[str, dict[str, str]]:
    """The button that was pressed (`acknowledge`, `assign:me`, `snooze:4h`) and its fields."""
    what, _, choice = request.POST.get("act", "").partition(":")
    data = request.POST.dict()
    data["note"] = data.get(f"note_{what}", data.get("note", ""))
    if choice:
        data["to"] = data["until"] = choice
    return what, data


def _report(
    request: HttpRequest, what: str, *, done: list[Alert], refused: list[tuple[int, str]]
) -> None:
    again = sum(_still_true(what, alert) for alert in done)
    if len(done) > again:
        messages.success(request, f"{ACTS[what].done}: {len(done) - again}.")
    if again:
        messages.warning(request, f"{STILL_TRUE} for {again}, so they opened again.")
    if refused:
        listed = " ".join(f"No. {number}: {why}" for number, why in refused[:LISTED])
        more = f" And {len(refused) - LISTED} more." if len(refused) > LISTED else ""
        messages.error(request, f"{len(refused)} refused. {listed}{more}")


def _still_true(what: str, alert: Alert) -> bool:
    return what == "resolve" and alert.state == AlertState.OPEN


def _allowed(request: HttpRequest, what: str) -> datetime:
    """Now, if there is such an act and the person may do it."""
    if what not in ACTS:
        raise Http404
    if not may(request.user, ACTS[what].right):
        raise PermissionDenied(ACTS[what].right.value)
    return database_now()


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _back(request: HttpRequest, usual: str) -> str:
    """Where the form was; own paths only."""
    wish = request.POST.get("next", "")
    return wish if wish and url_has_allowed_host_and_scheme(wish, None) else usual


urlpatterns = [
    path("alerts", inbox_page, name="alerts"),
    path("alerts/bulk", bulk, name="alerts_bulk"),
    path("alerts/<int:alert_id>", alert_page, name="alert"),
    path("alerts/<int:alert_id>/<slug:what>", act, name="alert_act"),
]
