"""`manage.py replay`: queue parked messages for reprocessing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun
from visibility.ingest.replay_messages import replay_parked_messages
from visibility.models import InboundMessage, MessageState
from visibility.pipeline.job_functions import ask_worker_to_run_job_now

CHUNK = 1000


class Command(BaseCommand):
    """Queue parked messages. Safe to run twice: only parked messages are selected."""

    help = "Queue parked messages for reprocessing, selected by reason, source or ID."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", default="")
        parser.add_argument("--source", default="")
        parser.add_argument("--id", type=int, action="append", default=[])

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["reason"] or options["source"] or options["id"]):
            raise CommandError("Select messages with --reason, --source or --id.")
        parked = InboundMessage.objects.filter(state=MessageState.PARKED)
        if options["reason"]:
            parked = parked.filter(reason=options["reason"])
        if options["source"]:
            parked = parked.filter(source__slug=options["source"])
        if options["id"]:
            parked = parked.filter(pk__in=options["id"])
        ids = list(parked.order_by("pk").values_list("pk", flat=True))
        count = 0
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            replay = replay_parked_messages(chunk, by=None, now=database_now())
            count += len(replay.message_ids) if replay else 0
        if count < len(ids):
            self.stderr.write(
                f"{count_with_noun(len(ids) - count, 'message')} not queued: no longer parked, or "
                "their payloads were removed by the retention policy"
            )
        ask_worker_to_run_job_now("process")
        self.stdout.write(json.dumps({"replayed": count}))
