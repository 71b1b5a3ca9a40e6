"""The Celery application: queues are doorbells, PostgreSQL is the memory."""

import os
from typing import Any

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")

CONFIGURATION: dict[str, Any] = {
    # kombu has its own word for a socket path
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
    "task_default_queue": "throughline",
    # Master data has a queue of its own, so that it never stands before orders.
    "task_routes": {"visibility.master_data": {"queue": "master"}},
    "task_publish_retry": False,
    "worker_prefetch_multiplier": 1,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "enable_utc": True,
    # Bells in case none rang: every entry only looks for work that is due.
    "beat_schedule": {
        "advance": {"task": "visibility.advance", "schedule": 2.0, "options": {"expires": 2}},
        "fold": {"task": "visibility.fold", "schedule": 2.0, "options": {"expires": 2}},
        "sweep": {"task": "visibility.sweep", "schedule": 2.0, "options": {"expires": 2}},
        "collect": {"task": "visibility.collect", "schedule": 3.0, "options": {"expires": 3}},
        "poll": {"task": "visibility.poll", "schedule": 3.0, "options": {"expires": 3}},
        "deliver": {"task": "visibility.deliver", "schedule": 3.0, "options": {"expires": 3}},
        "master": {"task": "visibility.master_data", "schedule": 3.0, "options": {"expires": 3}},
        "partitions": {"task": "visibility.partitions", "schedule": 3600.0},
    },
}

app = Celery("visibility")
app.conf.update(CONFIGURATION, imports=["visibility.pipeline.tasks"])
# The scheduler only rings: it loads neither Django's models nor our tasks.
bells = Celery("visibility", fixups=[], set_as_current=False)
bells.conf.update(CONFIGURATION)
