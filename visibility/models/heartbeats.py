"""When worker and scheduler last did work."""

from django.db import models
from django.db.models.functions import Now

WORKER = "worker"
SCHEDULER = "scheduler"


class Heartbeat(models.Model):
    """The last work of the worker, or the last job that the scheduler sent and a worker ran."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(db_default=Now())
