"""The one Django app."""

from django.apps import AppConfig


class VisibilityConfig(AppConfig):
    """Everything that is not a connector."""

    name = "visibility"
    verbose_name = "Throughline"

    def ready(self) -> None:
        """Make the Celery application the current one, wherever a task is rung for."""
        import visibility.celery  # noqa: F401
