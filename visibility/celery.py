"""The Celery application. Tasks only wake the workers up; all state is in PostgreSQL."""

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

from visibility.pipeline.jobs import DEFAULT_QUEUE, JOBS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")

CONFIGURATION: dict[str, Any] = {
    # kombu has its own URL scheme for a socket path.
    "broker_url": settings.REDIS_URL.replace("unix://", "redis+socket://", 1),
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "global_keyprefix": f"{settings.REDIS_PREFIX}:",
        "visibility_timeout": 60,
    },
    "task_ignore_result": True,
    "task_default_queue": DEFAULT_QUEUE,
    "task_routes": {job.task_name: {"queue": job.queue} for job in JOBS},
    "task_publish_retry": False,
    "worker_prefetch_multiplier": 1,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "enable_utc": True,
    # Each job looks for due work itself, so a task that waited for a full interval can expire.
    "beat_schedule": {
        job.name: {
            "task": job.task_name,
            "schedule": float(job.every),
            "options": {"expires": job.every},
        }
        for job in JOBS
        if job.every is not None
    },
}

app = Celery("visibility")
app.conf.update(CONFIGURATION, imports=["visibility.pipeline.tasks_and_fallback_loop"])
# The scheduler only sends tasks by name. It loads neither Django's models nor the tasks.
scheduler_app = Celery("visibility", fixups=[], set_as_current=False)
scheduler_app.conf.update(CONFIGURATION)


@setup_logging.connect
def configure_logging(**_: object) -> None:
    """Log as the web processes do. With a receiver, Celery adds no handlers of its own."""
    dictConfig(settings.LOGGING)
