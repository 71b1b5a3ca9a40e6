"""Every form of the application: it shows both versions of a conflict, or cannot lose an update."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from django.urls import get_resolver

from tests.db.web.save_conflict_forms import FORMS
from tests.db.web.walk.addresses import STEPS

# The routes of the forms of FORMS: `test_save_conflicts.py` opens each in two sessions.
CHECKED = {
    "organization": "organization",
    "mail server": "mail-server",
    "source": "sources/<slug:slug>/properties",
    "source settings": "sources/<slug:slug>/settings",
    "rule": "rules/<slug:code>/save",
    "calendar": "calendars/<slug:code>/save",
    "subscription": "subscriptions/<int:number>/save",
    "team": "teams/<slug:slug>",
    "person": "people/<int:number>",
    "own notifications": "account/notifications",
    "saved view": "saved-views/<int:view_id>/change",
    "board": "boards/<slug:slug>/settings",
    "note on a KPI": "numbers/<slug:code>/notes/<int:number>",
    "end of a target": "kpi-targets/<int:number>/end",
    "brand": "organization/tracking-page",
    "manifest": "manifests/<slug:slug>/save",
    "limits of sessions": "people/security",
    "checks of passwords": "people/security/passwords",
    "single sign-on": "people/single-sign-on",
    "SAML": "people/single-sign-on/saml",
}
# Forms with a test of their own.
TESTED_ELSEWHERE = {
    "mappings/<slug:code>/<int:row_id>": "test_mappings.py: both versions of a changed row",
    "mappings/accept": "test_save_conflicts.py: a value that is mapped keeps its mapping",
    "boards/<slug:slug>/arrange": "test_board_changes.py: a tile of a changed board is refused",
    "calendars/<slug:code>/versions/<str:day>/remove": "test_calendars.py: refused by version",
    "manifests/<slug:slug>/delete": "test_manifests.py: refused by revision",
    "rules/<slug:code>/archive": "test_rule_forms.py: refused by version",
    "rules/<slug:code>/pause": "test_rule_forms.py: refused by version",
    "rules/<slug:code>/resume": "test_rule_forms.py: refused by version",
}
ADDS = "It adds a record, and changes none."
REMOVES = "It removes a record as it is; the audit log has its values."
STATE = "It takes the record to one state, from any other; no value is entered."
OWN_CHOICE = "The person chooses how pages look for them, and each choice replaces the one before."
STORES_NOTHING = "It changes no record."
CANNOT_LOSE_AN_UPDATE = {
    ADDS: {
        "setup/<str:token>",
        "screen-links",
        "orders/<int:order_id>/notes",
        "orders/<int:order_id>/events/<int:event_id>/wrong",
        "orders/<int:order_id>/tracking-links",
        "numbers/<slug:code>/notes",
        "kpi-targets",
        "joins/join",
        "joins/distinct",
        "joins/split/<int:order_id>/do",
        "sources/new/<slug:connector>",
        "sources/<slug:slug>/maintenance",
        "messages/<int:message_id>/replay",
        "messages/<int:message_id>/edit",
        "messages/replays",
        "messages/discards",
        "mappings/accept-all",
        "mappings/ignore",
        "mappings/<slug:code>/file",
        "mappings/<slug:code>/new",
        "rules/new",
        "calendars/new",
        "calendars/<slug:code>/copy",
        "boards/<slug:slug>/duplicate",
        "subscriptions/new/<slug:code>",
        "subscriptions/<int:number>/deliveries/<int:attempt_id>/resend",
        "people/new",
        "people/<int:number>/link",
        "people/single-sign-on/link",
        "people/single-sign-on/saml/link",
        "teams",
        "outgoing-addresses",
        "tokens",
        "track/<str:token>/email",
        "saved-views",
        "audit/check",
        "manifests/new",
        "release-checks/start",
    },
    REMOVES: {
        "boards/<slug:slug>/delete",
        "numbers/<slug:code>/notes/<int:number>/remove",
        "mappings/unignore",
        "calendars/<slug:code>/delete",
        "subscriptions/<int:number>/delete",
        "outgoing-addresses/<int:number>/remove",
        "mail-server/delete",
        "people/single-sign-on/delete",
        "people/single-sign-on/saml/delete",
        "exports/<int:export_id>/delete",
        "saved-views/<int:view_id>/delete",
    },
    STATE: {
        "screen-links/<int:number>/revoke",
        "orders/<int:order_id>/watch",
        "orders/<int:order_id>/unwatch",
        "orders/<int:order_id>/tracking-links/<int:number>/revoke",
        "joins/<int:decision_id>/undo",
        "sources/<slug:slug>/archive",
        "sources/<slug:slug>/poll",
        "sources/<slug:slug>/restore",
        "sources/<slug:slug>/maintenance/<int:window_id>/end",
        # It names the newest change that the page showed.
        "sources/<slug:slug>/drift/accept",
        "messages/replays/<int:replay_id>/stop",
        "messages/discards/<int:discard_id>/undo",
        "mappings/files/<int:import_id>/apply",
        "mappings/files/<int:import_id>/discard",
        "subscriptions/<int:number>/enable",
        "subscriptions/<int:number>/disable",
        "people/<int:number>/deactivate",
        "people/<int:number>/reactivate",
        "people/<int:number>/end-sessions",
        "people/<int:number>/remove-second-factors",
        "people/<int:number>/unlink",
        *("setup/close", "setup/demo-data", "setup/demo-data/remove"),
        "tokens/<int:number>/revoke",
        "account/sessions/end-others",
        "track/email/confirm/<str:key>",
        "track/email/stop/<str:key>",
        "account/sessions/<int:number>/end",
    },
    OWN_CHOICE: {
        "order-lanes",
        "order-activity",
        "lists/<slug:code>/columns",
        "boards/<slug:slug>/start",
        "tour/hide",
        "tour/show",
    },
    STORES_NOTHING: {
        "signin/demo",
        "session",
        "signin/forgot",
        "alerts/selection",
        "rules/draft",
        "sources/<slug:slug>/test-event",
        "sources/<slug:slug>/test-poll",
        "sources/<slug:slug>/test-queue",
        "account/notifications/test",
        "subscriptions/<int:number>/test",
        "mail-server/test",
        "signin/single-sign-on",
        "people/single-sign-on/test",
        "people/single-sign-on/try",
        "signin/single-sign-on/saml",
        "people/single-sign-on/saml/try",
    },
    "The link works once, and the password of the account is asked for.": {
        "account/link/<str:token>",
        "account/password",
    },
    "Each action is an entry in the history of the alert, and says whether others were faster.": {
        "alerts/bulk",
        "alerts/undo",
        "alerts/<int:alert_id>/<slug:action>",
    },
    "Each version stays in the history, where this one is chosen.": {
        "mappings/<slug:code>/<int:row_id>/back/<int:change_id>",
        "manifests/<slug:slug>/rollback",
    },
    "A check has one result and one promotion; a second one is refused with a sentence.": {
        "release-checks/<int:check_id>/cancel",
        "release-checks/<int:check_id>/promote",
        "release-checks/<int:check_id>/rollback",
    },
    "A sample is added, replaced or removed by its name, as the form says.": {
        "manifests/<slug:slug>/samples",
        "manifests/<slug:slug>/samples/remove",
    },
    "It belongs to one sign-in, which has one answer.": {
        "signin/single-sign-on/saml/response",
    },
    "It reads the metadata of the stored address, whatever was stored of it before.": {
        "people/single-sign-on/saml/read",
    },
    "The secret before it stays valid for a time, and the new one is shown only to its creator.": {
        "sources/<slug:slug>/rotate",
    },
}


def methods_of(view: Any) -> list[str] | None:
    """The methods of the decorator; None without one."""
    while view is not None:
        if inspect.isfunction(view):
            methods = inspect.getclosurevars(view).nonlocals.get("request_method_list")
            if methods is not None:
                return list(methods)
        view = getattr(view, "__wrapped__", None)
    return None


def routes(resolver: Any, prefix: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern, route)
        else:
            yield route, pattern.callback


def forms_of_the_application() -> set[str]:
    """The routes that accept a form."""
    accepting = set()
    for route, view in routes(get_resolver()):
        methods = methods_of(view)
        reads_form = methods is None and "POST" in inspect.getsource(inspect.unwrap(view))
        if not route.startswith("api/") and (reads_form or (methods and "POST" in methods)):
            accepting.add(route)
    return accepting - STEPS


def test_every_form_is_checked_or_cannot_lose_an_update() -> None:
    explained = [*CHECKED.values(), *TESTED_ELSEWHERE]
    for group in CANNOT_LOSE_AN_UPDATE.values():
        explained += group
    assert len(explained) == len(set(explained))
    assert forms_of_the_application() == set(explained)


def test_every_checked_form_is_opened_in_two_sessions() -> None:
    assert set(CHECKED) == set(FORMS)
