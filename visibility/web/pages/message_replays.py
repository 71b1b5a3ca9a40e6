"""Pages of the replay of parked messages: the effect before, the progress, and the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.ingest.replay_messages import replay_parked_messages, stop_replay
from visibility.models import MessageReplay, Source
from visibility.pipeline import job_functions
from visibility.screens.messages import parked, replay_results
from visibility.screens.messages.replay_preview import preview_replay
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)


@dataclass(frozen=True, slots=True)
class ReplaySelection:
    """Which parked messages to replay: one, or those with a cause, of one source or of all."""

    source: Source | None
    reason: str
    detail: str | None
    message_id: int | None

    @classmethod
    def of_request(cls, values: Mapping[str, str]) -> "ReplaySelection":
        """Read it from a query string or a form. Raises Http404 for an unknown source."""
        texts = {name: values.get(name, "").replace("\0", "") for name in ("source", "reason")}
        source = Source.objects.filter(slug=texts["source"]).first() if texts["source"] else None
        if texts["source"] and source is None:
            raise Http404(texts["source"])
        detail = values.get("detail")
        return cls(
            source,
            texts["reason"],
            None if detail is None else detail.replace("\0", ""),
            parse_row_id(values["id"]) or 0 if "id" in values else None,
        )

    @property
    def values(self) -> dict[str, str]:
        """The parameters of a URL or a form with this selection."""
        values = {
            "source": self.source.slug if self.source else "",
            "reason": self.reason,
            "id": "" if self.message_id is None else str(self.message_id),
        }
        chosen = {name: value for name, value in values.items() if value}
        return chosen if self.detail is None else chosen | {"detail": self.detail}

    def message_ids(self) -> list[int]:
        """The parked messages of the selection, oldest first."""
        if self.message_id is not None:
            return [self.message_id]
        source_id = self.source.pk if self.source else None
        return parked.parked_message_ids(source_id, reason=self.reason, detail=self.detail)


@require_GET
@require_permission(Permission.PARKED_REPLAY)
def replay_preview_view(request: HttpRequest) -> HttpResponse:
    """GET /messages/replay?source=&reason=&detail=&id=: the effect of a replay, nothing changed."""
    selection = ReplaySelection.of_request(request.GET.dict())
    preview = preview_replay(selection.message_ids())
    context = {
        "now": database_now(),
        "preview": preview,
        "count": preview.selected,
        "selection": selection,
        "parked_query": urlencode({**selection.values, "state": "parked"}),
        "orders": [(order, STATUS_LABELS[Status(order.status)]) for order in preview.orders],
    }
    return render(request, "sources/replay_preview.html", context)


@require_POST
@require_permission(Permission.PARKED_REPLAY)
def start_replay_view(request: HttpRequest) -> HttpResponse:
    """POST /messages/replays: replay the selected messages; the result page follows."""
    selection = ReplaySelection.of_request(request.POST.dict())
    fallback = f"/messages/{selection.message_id}" if selection.message_id else "/sources"
    return start_replay_and_redirect(request, selection.message_ids(), fallback)


@require_GET
@require_permission(Permission.PARKED_SEE)
def replay_result_view(request: HttpRequest, replay_id: int) -> HttpResponse:
    """GET /messages/replays/<id>: how far a replay is, and its result."""
    result = replay_results.load_replay_result(replay_id) if replay_id < 2**63 else None
    if result is None:
        raise Http404(str(replay_id))
    now = database_now()
    context = {
        "now": now,
        "live_head": latest_change_number(),
        "result": result,
        "requested": displayed_time(result.replay.requested_at, now),
        "finished": displayed_time(result.last_processed_at, now) if result.is_finished else None,
        "stopped": displayed_time(result.replay.stopped_at, now),
        "may_replay": has_permission(request.user, Permission.PARKED_REPLAY),
    }
    return render(request, "sources/replay_result.html", context)


@require_POST
@require_permission(Permission.PARKED_REPLAY)
def stop_replay_view(request: HttpRequest, replay_id: int) -> HttpResponse:
    """POST /messages/replays/<id>/stop: park the messages that still wait, as before."""
    if replay_id >= 2**63 or not MessageReplay.objects.filter(pk=replay_id).exists():
        raise Http404(str(replay_id))
    if not stop_replay(replay_id, by=signed_in_user(request), now=database_now()):
        notes.info(request, "Nothing to stop: no message of this replay waits any more.")
    return HttpResponseRedirect(f"/messages/replays/{replay_id}")


def start_replay_and_redirect(
    request: HttpRequest, ids: Sequence[int], fallback_url: str
) -> HttpResponse:
    """Replay these messages and show the result page, or say why there is nothing to replay."""
    replay = None
    if ids:
        replay = replay_parked_messages(ids, by=signed_in_user(request), now=database_now())
    job_functions.ask_worker_to_run_job_now("process")
    if replay is None:
        notes.info(request, "Nothing to replay: no message is parked any more.")
        return HttpResponseRedirect(fallback_url)
    return HttpResponseRedirect(f"/messages/replays/{replay.pk}")


urlpatterns = [
    path("messages/replay", replay_preview_view, name="replay-preview"),
    path("messages/replays", start_replay_view, name="replay-start"),
    path("messages/replays/<int:replay_id>", replay_result_view, name="replay-result"),
    path("messages/replays/<int:replay_id>/stop", stop_replay_view, name="replay-stop"),
]
