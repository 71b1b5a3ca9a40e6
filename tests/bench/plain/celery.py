"""The Celery application of the plain implementation."""

import os

from celery import Celery

app = Celery("plain")
app.conf.update(
    broker_url=os.environ["REDIS_URL"].replace("unix://", "redis+socket://", 1),
    broker_transport_options={"global_keyprefix": f"{os.environ['REDIS_PREFIX']}:"},
    task_ignore_result=True,
    task_default_queue="plain",
    task_acks_late=True,
    imports=["tests.bench.plain.tasks"],
)
