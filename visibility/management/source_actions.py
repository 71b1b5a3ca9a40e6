"""Actions on one source from the command line that need nothing but its name."""

from django.core.management.base import CommandError

from visibility.db.database_time import database_now
from visibility.ingest.change_source import archive_source, restore_source
from visibility.ingest.poll_now import CannotPollNow, request_poll
from visibility.models import Source

ACTIONS = {
    "poll": "poll a source now, also after many failures",
    "archive": "stop intake of a source and hide it from lists; its history stays",
    "restore": "list an archived source again; it stays disabled",
}


def apply_action_to_source(action: str, slug: str) -> None:
    """Poll, archive or restore a source. Raises CommandError."""
    source = Source.objects.filter(slug=slug).first()
    if source is None:
        raise CommandError(f"Unknown source {slug!r}.")
    if action == "poll":
        try:
            request_poll(source, now=database_now(), user=None)
        except CannotPollNow as error:
            raise CommandError(str(error)) from error
        return
    change = archive_source if action == "archive" else restore_source
    if not change(source, now=database_now(), user=None):
        raise CommandError("Nothing to do.")
