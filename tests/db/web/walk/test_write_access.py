"""Every form and every operation of the API: each role, nobody, a token, and a person with a scope.

An address without a line in `access_lines.py` fails.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import resolve
from pytest_django.plugin import DjangoDbBlocker

from tests.db.web.api.test_api_tokens import new_token, with_token
from tests.db.web.api.test_contract import CALLS, an_hour_from_now, undone
from tests.db.web.test_every_form_that_changes_a_record import forms_of_the_application
from tests.db.web.walk.access_dataset import (
    LIMITED_NAMES,
    Values,
    build_access_dataset,
    client_of,
    limited_name,
)
from tests.db.web.walk.access_lines import (
    BODIES,
    FORMS,
    FORMS_OF_OWN_FACTORS,
    FORMS_WITHOUT_SIGN_IN,
    OPERATIONS,
    WITH_SESSION,
    WITHOUT_SIGN_IN,
)
from tests.db.web.walk.addresses import STEPS
from tests.db.web.walk.rolled_back import rolled_back_at_end
from visibility.storage.published_manifests import reload_published_manifests
from visibility.web.api import urls as api_urls
from visibility.web.permissions import (
    ROLE_PERMISSIONS,
    ROLES_WITH_SCOPE,
    Permission,
    UserRole,
    granted_permissions,
)

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
API = "/api/v1/"
# What a refused request may write: the audit log, the session, and when a token was last used.
WRITTEN_WHEN_REFUSED = {
    *("visibility_auditentry", "visibility_audithead", "django_session", "visibility_apitoken"),
}
WRITES = ("POST", "PUT", "PATCH", "DELETE")
# Values of the parameters in paths of the API, where the name alone does not tell.
SLUGS = {
    "kpis": "fill_rate",
    "rules": "stuck",
    "calendars": "{calendar}",
    "lists": "orders",
    "boards": "operations",
    "sources": "erp",
    "teams": "{team}",
    "manifests": "hill_3pl",
    "master": "item",
}


@pytest.fixture(scope="module")
def values(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[dict[str, Values]]:
    """One data set for the module, in a transaction that is rolled back at the end."""
    folder = tmp_path_factory.mktemp("access")
    with rolled_back_at_end(folder, django_db_blocker):
        yield build_access_dataset()


@pytest.fixture
def _django_db_helper(values: dict[str, Values]) -> None:
    """Instead of a transaction for each test, which would end that of the module."""


@pytest.fixture(autouse=True)
def _manifests_of_values(
    values: dict[str, Values], _django_db_helper: None, _no_published_manifests: None
) -> None:
    reload_published_manifests()


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """The value with its placeholders replaced; a text that is one placeholder keeps its type."""
    if isinstance(value, Mapping):
        return {name: fill(item, values) for name, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    if value == "{soon}":
        return an_hour_from_now()
    if isinstance(value, str) and re.fullmatch(r"\{\w+\}", value):
        return values[value[1:-1]]
    return value.format(**values) if isinstance(value, str) else value


def operations() -> Iterator[str]:
    """Each method and path of the URL patterns of the API."""
    for pattern in api_urls.urlpatterns:
        view = getattr(pattern.callback, "cls", None)
        for method in view.http_method_names if view else ():
            if hasattr(view, method) and method not in {"head", "options"}:
                path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
                yield f"{method.upper()} {path}"


def called_operations() -> set[str]:
    """The operations of CALLS."""
    return {("GET " if body is None else "POST ") + path for path, _, body in CALLS.values()}


def operation_url(operation: str, values: Values) -> str:
    """The URL of an operation with the values of the data set; 1 for other names."""
    route = operation.partition(" ")[2]
    first, _, remainder = route.partition("/")
    if remainder and first in SLUGS:
        route = first + "/" + re.sub(r"^\{(slug|code|table)\}", SLUGS[first], remainder)
    route = re.sub(r"\{(\w+)_id\}", r"{\1}", route).replace("{starts_on}", "2026-01-01")
    names = re.findall(r"\{(\w+)\}", route)
    return API + route.format(**{name: values.get(name, "1") for name in names})


def call(client: Client, operation: str, values: Values) -> Any:
    method, url = operation.partition(" ")[0], operation_url(operation, values)
    if operation.endswith(("/rows/export", "unmapped/export", "{table}/export")):
        url += "?format=csv"
    if method == "GET":
        return client.get(url)
    body = json.dumps(fill(BODIES.get(operation, {}), values))
    return client.generic(method, url, body, "application/json")


@contextmanager
def changed_tables() -> Iterator[set[str]]:
    """The tables in which the block changes rows; the changes are undone afterwards."""
    changed: set[str] = set()
    with undone(), patch("django.test.client.store_rendered_templates"):
        before = _changes_by_table()
        yield changed
        after = _changes_by_table()
        changed |= {name for name, count in after.items() if count != before.get(name)}


def _changes_by_table() -> dict[str, int]:
    """How many rows of each table this transaction has written so far."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
        )
        return dict(cursor.fetchall())


def allows(role: UserRole, needed: Any) -> bool:
    return all(role in ROLE_PERMISSIONS[permission] for permission in needed)


def is_sign_in(answer: Any) -> bool:
    return bool(answer.status_code == 302 and answer["Location"].startswith("/signin"))


def test_every_form_has_a_line() -> None:
    routes = {resolve(url.partition("?")[0].format_map(Ones())).route for url in FORMS}
    assert routes | FORMS_WITHOUT_SIGN_IN.keys() >= forms_of_the_application()
    assert routes | FORMS_WITHOUT_SIGN_IN.keys() <= forms_of_the_application() | STEPS


class Ones(dict[str, str]):
    """A value of each name."""

    def __missing__(self, name: str) -> str:
        return "1"


def test_every_operation_of_the_api_has_a_line() -> None:
    existing = list(operations())
    assert len(existing) == len(set(existing))
    lines = called_operations() | OPERATIONS.keys() | WITHOUT_SIGN_IN
    assert lines - {"GET schema", "GET docs"} == set(existing) - {"GET schema", "GET docs"}
    assert not called_operations() & OPERATIONS.keys()
    assert {view for view in BODIES if view not in set(existing)} == set()


@pytest.mark.parametrize("role", list(UserRole))
def test_forms_answer_each_role_as_their_permissions_say(
    role: UserRole, values: dict[str, Values]
) -> None:
    client, wrong = client_of(role.value), []
    for url, (needed, fields) in FORMS.items():
        with changed_tables() as changed:
            answer = client.post(fill(url, values["inside"]), fill(fields, values["inside"]))
        status = answer.status_code
        if allows(role, needed):
            is_wrong = status in {403, 405} or status >= 500 or is_sign_in(answer)
        else:
            is_wrong = status != 403 or bool(changed - WRITTEN_WHEN_REFUSED)
        if is_wrong:
            wrong.append(f"{url}: {status} {sorted(changed)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", ["nobody", "token", "without CSRF token"])
def test_forms_refuse_nobody_tokens_and_requests_without_csrf_token(
    who: str, values: dict[str, Values]
) -> None:
    admin, client = User.objects.get(username="admin"), Client(raise_request_exception=False)
    if who == "token":
        text = new_token(admin, *Permission)[1]
        client = Client(headers={"Authorization": f"Bearer {text}"})
    elif who != "nobody":
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin)
    wrong = []
    lines = {url: fields for url, (_, fields) in FORMS.items()}
    for url, fields in (lines | {key: {} for key in FORMS_OF_OWN_FACTORS}).items():
        with changed_tables() as changed:
            answer = client.post(fill(url, values["inside"]), fill(fields, values["inside"]))
        refused = answer.status_code == 403 if "CSRF" in who else is_sign_in(answer)
        if not refused or changed - WRITTEN_WHEN_REFUSED:
            wrong.append(f"{url}: {answer.status_code} {sorted(changed)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", [None, *UserRole])
def test_operations_answer_each_role_as_their_permissions_say(
    role: UserRole | None, values: dict[str, Values]
) -> None:
    client, wrong = client_of(role.value) if role else Client(), []
    for operation, needed in OPERATIONS.items():
        with changed_tables() as changed:
            status = call(client, operation, values["inside"]).status_code
        refused = 401 if role is None else 403
        if role and allows(role, needed):
            is_wrong = status in {401, 403, 405} or status >= 500
        else:
            is_wrong = status != refused or bool(changed - WRITTEN_WHEN_REFUSED)
        if is_wrong:
            wrong.append(f"{operation}: {status} {sorted(changed)}")
    assert not wrong, "\n".join(wrong)


def test_each_operation_needs_its_permissions_in_the_token(
    values: dict[str, Values],
) -> None:
    """As `test_each_call_needs_its_permissions_in_the_token`, for the other operations."""
    admin, wrong = User.objects.get(username="admin"), []
    every = set(Permission)
    clients = {
        permission: with_token(new_token(admin, *(every - {permission}))[1]) for permission in every
    }
    exact: dict[frozenset[Permission], Client] = {}
    for operation, needed in OPERATIONS.items():
        key = frozenset(needed)
        if key not in exact:
            exact[key] = with_token(new_token(admin, *(needed or {Permission.BOARDS}))[1])
        with changed_tables():
            status = call(exact[key], operation, values["inside"]).status_code
        if (status == 403) != (operation in WITH_SESSION) or status == 401 or status >= 500:
            wrong.append(f"{operation} with {sorted(needed)}: {status}")
        for missing in needed:
            with changed_tables() as changed:
                status = call(clients[missing], operation, values["inside"]).status_code
            if status != 403 or changed - WRITTEN_WHEN_REFUSED:
                wrong.append(f"{operation} without {missing}: {status} {sorted(changed)}")
    assert not wrong, "\n".join(wrong)


Send = Callable[[Values], Any]


def _requests(role: UserRole) -> Iterator[tuple[str, Send]]:
    """A name and a function for each form, and for each write of the API with a token."""
    page = client_of(limited_name(role))
    user = User.objects.get(username=limited_name(role))
    program = with_token(new_token(user, *granted_permissions(user))[1])
    for url, (_, fields) in FORMS.items():
        if _names_limited_record(url, fields):
            yield url, partial(_post_form, page, url, fields)
    for operation in operations():
        body = BODIES.get(operation, {})
        if operation.startswith(WRITES) and _names_limited_record(operation, body):
            yield operation, partial(call, program, operation)


def _post_form(client: Client, url: str, fields: Values, row: Values) -> Any:
    client.cookies.pop("messages", None)  # of the request before
    return client.post(fill(url, row), fill(fields, row))


def _names_limited_record(name: str, fields: Values) -> bool:
    text = re.sub(r"_id\}", "}", f"{name} {fields}")
    return any("{" + key + "}" in text for key in LIMITED_NAMES)


@pytest.mark.parametrize("role", sorted(ROLES_WITH_SCOPE))
def test_records_outside_of_a_scope_answer_as_unknown_ones_and_do_not_change(
    role: UserRole, values: dict[str, Values]
) -> None:
    wrong, changing, compared = [], 0, 0
    for name, send in _requests(role):
        answers = {}
        for row in ("outside", "unknown", "inside"):
            with changed_tables() as changed:
                answers[row] = send(values[row])
            written = changed - WRITTEN_WHEN_REFUSED
            changing += row == "inside" and bool(written)
            if row != "inside" and written:
                wrong.append(f"{name} {row}: changes {sorted(written)}")
        compared += 1
        ids = {str(values[row][name]) for row in ("outside", "unknown") for name in LIMITED_NAMES}
        texts = [_text(answers[row], ids) for row in ("outside", "unknown")]
        statuses = [answers[row].status_code for row in ("outside", "unknown")]
        if texts[0] != texts[1] or statuses[0] != statuses[1] or statuses[0] in {400, 422, 500}:
            wrong.append(f"{name}: {statuses} {_difference(*texts)}")
    assert not wrong, "\n".join(wrong)
    # With the order inside, the same requests change records.
    assert compared > 25
    least = {UserRole.OPERATIONS: 22, UserRole.CUSTOMER_SERVICE: 11, UserRole.EXECUTIVE: 2}
    assert changing >= least[role], changing


def _difference(left: str, right: str) -> list[str]:
    lines = zip(left.splitlines(), right.splitlines(), strict=False)
    return [f"{a[:200]} | {b[:200]}" for a, b in lines if a != b][:3]


def _text(answer: Any, ids: Collection[str]) -> str:
    """The answer without the ids of both rows, tokens and its own address."""
    text = answer.headers.get("Location", "") + answer.content.decode()
    text = re.sub(rf"(?<![\w-])({'|'.join(ids)})(?![\w-])", "ID", text)
    text = re.sub(r'name="csrf[^>]*>|nonce="[^"]*"|"instance": ?"[^"]*"', "", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9]{32,64}", "", text)
    return re.sub(r"\d\d:\d\d(:\d\d)?", "", text)
