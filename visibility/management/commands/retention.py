"""`manage.py retention`: show which message payloads the policy lets go, and remove them."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun, format_number
from visibility.ingest.message_body_retention import check_partitions, remove_partition
from visibility.screens.messages.body_retention import describe_payload_months, policy_sentence


class Command(BaseCommand):
    """Check all months; with `--apply`, remove at once what the daily job would remove later."""

    help = "List the stored payloads of messages by month, and remove those that can go."

    def add_arguments(self, parser: ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--dry-run", action="store_true", help="only list them (the default)")
        choice.add_argument("--apply", action="store_true", help="remove those that can go")

    def handle(self, *args: Any, **options: Any) -> None:
        now, days = database_now(), settings.MESSAGE_BODY_DAYS
        partitions = check_partitions(now=now, days=days)
        self.stdout.write(policy_sentence(days))
        for month in describe_payload_months(partitions, now=now, days=days):
            self.stdout.write(
                f"{month.month}  {format_number(month.partition.message_count):>12} messages  "
                f"{format_number(month.partition.byte_count):>16} bytes  "
                f"{month.label_and_tone[0]}: {month.explanation}"
            )
        removable = [partition for partition in partitions if partition.removable_since]
        if not options["apply"]:
            months = count_with_noun(len(removable), "month")
            self.stdout.write(f"{months} can be removed. Remove with --apply.")
            return
        for partition in removable:
            try:
                if remove_partition(partition, now=now, days=days):
                    self.stdout.write(f"{partition} removed")
            except OperationalError as error:
                raise CommandError(f"{partition} not removed: {error}") from error
