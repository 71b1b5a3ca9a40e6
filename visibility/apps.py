"""Configure the Django app."""

from collections.abc import Iterable

from django.apps import AppConfig
from django.conf import settings
from structlog.stdlib import get_logger

from connectors.catalog import use_own_manifests
from connectors.sdk.manifest.problems import ManifestProblem

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


def _log_manifest_problems(problems: Iterable[ManifestProblem]) -> None:
    for problem in problems:
        log.warning(
            "manifest_invalid",
            file=problem.file,
            line=problem.line,
            path=problem.path,
            problem=problem.sentence,
        )
