"""For machines that watch us: alive, able to accept, and in numbers. Nobody signs in here."""

import hmac
import ipaddress

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.clock import database_now
from visibility.environment import text
from visibility.operations.metrics import CONTENT_TYPE, exposition

METRICS_TOKEN = text("METRICS_TOKEN", default="")
AGAIN = "5"


@require_GET
def healthz(_request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@require_GET
def readyz(_request: HttpRequest) -> JsonResponse:
    """The database can be written and has the tables this release needs."""
    try:
        problem = _problem()
    except DatabaseError:
        problem = "the database does not answer"
    if problem:
        return JsonResponse(
            {"status": "unready", "problem": problem}, status=503, headers={"Retry-After": AGAIN}
        )
    return JsonResponse({"status": "ready"})


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for this machine itself or with the token."""
    if not _trusted(request):
        return HttpResponse(
            "metrics are given to this machine, or with the bearer METRICS_TOKEN\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(exposition(database_now()), content_type=CONTENT_TYPE)


def _problem() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
        )
        if cursor.fetchone()[0]:
            return "the database is read-only"
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return "migrations are not applied"
    return ""


def _trusted(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if METRICS_TOKEN and scheme.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), METRICS_TOKEN.encode())
    # Behind a proxy everybody seems to be this machine.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    try:
        return (
            ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback and not forwarded
        )
    except ValueError:
        return False


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
