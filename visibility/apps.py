"""Configure the Django app."""

from collections.abc import Iterable
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate
from structlog.stdlib import get_logger

from connectors.catalog import use_own_manifests
from connectors.sdk.manifest.problems import ManifestProblem
from visibility.db.scoped_views import create_views, drop_views

log = get_logger(__name__)


class VisibilityConfig(AppConfig):
    """The Django app `visibility`: everything except the connectors."""

    name = "visibility"
    verbose_name = "Throughline"

    def ready(self) -> None:
        """Load the Celery application, so that every process enqueues tasks through it.

        Also load the manifests of people. A broken one is logged and does not stop the start.
        """
        import visibility.celery  # noqa: F401

        use_own_manifests(settings.CONNECTOR_FOLDER, _log_manifest_problems)
        pre_migrate.connect(_drop_scoped_views, sender=self)
        post_migrate.connect(_create_scoped_views, sender=self)


def _drop_scoped_views(*, using: str, plan: Iterable[object] = (), **_kwargs: Any) -> None:
    """Migrations cannot change columns that a view selects."""
    if plan:
        with connections[using].cursor() as cursor:
            drop_views(cursor)


def _create_scoped_views(*, using: str, **_kwargs: Any) -> None:
    with connections[using].cursor() as cursor:
        create_views(cursor)


def _log_manifest_problems(problems: Iterable[ManifestProblem]) -> None:
    for problem in problems:
        log.warning(
            "manifest_invalid",
            file=problem.file,
            line=problem.line,
            path=problem.path,
            problem=problem.sentence,
        )
