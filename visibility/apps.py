"""Configure the Django app."""

from django.apps import AppConfig


class VisibilityConfig(AppConfig):
    """The Django app `visibility`: everything except the connectors."""

    name = "visibility"
    verbose_name = "Throughline"

    def ready(self) -> None:
        """Load the Celery application, so that every process enqueues tasks through it."""
        import visibility.celery  # noqa: F401
