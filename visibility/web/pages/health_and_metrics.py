"""Health checks and metrics for monitoring. These URLs need no sign-in."""

import hmac
import ipaddress

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.environment import env_text_or_file_content
from visibility.ingest.full_disk import has_recent_failed_write
from visibility.operations.metrics import CONTENT_TYPE, render_metrics
from visibility.operations.processes_and_disks import process_and_disk_problems, watched_folders

METRICS_TOKEN = env_text_or_file_content("METRICS_TOKEN", default="")
RETRY_AFTER_SECONDS = "5"


@require_GET
def healthz(_request: HttpRequest) -> JsonResponse:
    """Liveness: the process handles requests."""
    return JsonResponse({"status": "ok"})


@require_GET
def readyz(_request: HttpRequest) -> JsonResponse:
    """Readiness: there is space, the database is writable and all migrations are applied.

    `warnings` names what does not work although requests are accepted.
    """
    warnings: list[str] = []
    try:
        problem = _full_disk_problem() or _readiness_problem()
        if not problem:
            warnings = [warning.title for warning in process_and_disk_problems(database_now())]
    except DatabaseError:
        problem = "the database does not answer"
    if problem:
        return JsonResponse(
            {"status": "unready", "problem": problem},
            status=503,
            headers={"Retry-After": RETRY_AFTER_SECONDS},
        )
    return JsonResponse({"status": "ready"} | ({"warnings": warnings} if warnings else {}))


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for requests from localhost or with the token."""
    if not _may_read_metrics(request):
        return HttpResponse(
            "metrics require a request from localhost or the bearer token METRICS_TOKEN\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(render_metrics(database_now()), content_type=CONTENT_TYPE)


def _full_disk_problem() -> str:
    full = [folder.sentence for folder in watched_folders() if folder.is_needed and folder.is_full]
    if full:
        return full[0]
    return "the database has no space" if has_recent_failed_write() else ""


def _readiness_problem() -> str:
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


def _may_read_metrics(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if METRICS_TOKEN and scheme.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), METRICS_TOKEN.encode())
    # Behind a proxy every request comes from localhost.
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
