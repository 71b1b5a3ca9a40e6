"""Integration health: the sources, their messages, and setting parked ones going again."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.clock import database_now
from visibility.ingest import parse
from visibility.models import InboundMessage, MessageState, Source
from visibility.pipeline import stages
from visibility.screens.messages import message_list
from visibility.screens.sources import health as sources
from visibility.web.api.base import Call, person
from visibility.web.api.idempotency import once
from visibility.web.api.pagination import PAGING, Pages, gathered, paged
from visibility.web.api.problems import Answer, Conflict, Invalid
from visibility.web.api.query_params import Parameter, asked, chosen, documented
from visibility.web.api.requests import BIGGEST_ID, Nothing, raw, read
from visibility.web.api.serializers import (
    MessageShape,
    Moment,
    Shape,
    SourceShape,
    Word,
    write,
    write_all,
)
from visibility.web.permissions import Right

LIST = (
    chosen("state", "Its fate so far.", MessageState),
    Parameter("source", "The slug of the source it came from."),
    *PAGING,
)


class SourcesShape(Shape):
    """Every source, the worst first."""

    items = SourceShape(many=True)


class BalanceShape(Shape):
    """Every message's one fate: accepted = applied + duplicate + parked + waiting."""

    accepted = serializers.IntegerField()
    applied = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    parked = serializers.IntegerField()
    waiting = serializers.IntegerField()


class HealthShape(SourceShape):
    """One source in full."""

    hours = serializers.ListField(
        child=serializers.IntegerField(), help_text="Messages in each of 24 hours, oldest first."
    )
    next_poll_at = Moment(source="source.next_poll_at", allow_null=True)
    balance = BalanceShape()


class ReplayShape(Shape):
    """The message on its way again."""

    id = serializers.CharField()
    state = Word([MessageState.WAITING])


class Sources(Call):
    """`GET /sources`."""

    rights = (Right.SOURCES_SEE,)

    @extend_schema(operation_id="sources", responses=SourcesShape)
    def get(self, request: Request) -> Response:
        """The sources and how their feeds are, the worst first."""
        asked(request, ())
        return Response({"items": write_all(SourceShape, sources.health(database_now()))})


class SourceHealth(Call):
    """`GET /sources/<slug>/health`."""

    rights = (Right.SOURCES_SEE,)

    @extend_schema(operation_id="source_health", responses=HealthShape)
    def get(self, request: Request, slug: str) -> Response:
        """How one feed is, and what became of everything accepted from it."""
        asked(request, ())
        source = Source.objects.filter(slug=slug).first()
        if source is None:
            raise Http404
        health = sources.health(database_now(), [source])[0]
        written: dict[str, Any] = write(SourceShape, health)
        return Response(
            written
            | {
                "hours": list(health.hours),
                "next_poll_at": Moment(allow_null=True).to_representation(source.next_poll_at)
                if source.next_poll_at
                else None,
                "balance": write(BalanceShape, sources.balance(source)),
            }
        )


class Messages(Call):
    """`GET /messages`."""

    rights = (Right.PARKED_SEE,)

    @extend_schema(
        operation_id="messages",
        parameters=documented(LIST),
        responses=paged("Messages", MessageShape(many=True)),
    )
    def get(self, request: Request) -> Response:
        """Messages and their fates, the newest first. Their content is not in the API."""
        given = asked(request, LIST)
        pages = Pages("messages", given)
        source_id = None
        if slug := given.get("source"):
            source_id = Source.objects.filter(slug=slug).values_list("pk", flat=True).first()
            if source_id is None:
                raise Invalid("source", "no source has this slug")
        place = pages.place
        shown, following = gathered(
            lambda after: message_list.listed(
                source_id=source_id, state=given.get("state", ""), after=after
            ),
            chunk=message_list.PAGE,
            after=place[0] if place else "",
            size=pages.size,
        )
        written = write_all(MessageShape, shown)
        return Response(pages.page(written, pages.after(following) if following else None))


class Replay(Call):
    """`POST /messages/<id>/replay`."""

    rights = (Right.PARKED_REPLAY,)

    @extend_schema(operation_id="message_replay", request=Nothing, responses={202: ReplayShape})
    def post(self, request: Request, message_id: int) -> HttpResponse:
        """Set a parked message going again; 409 where it is not parked."""
        asked(request, ())
        body = raw(request)

        def do() -> Answer:
            read(Nothing, body)
            known = message_id <= BIGGEST_ID
            if not (known and InboundMessage.objects.filter(id=message_id).exists()):
                raise Http404
            if not parse.replay([message_id], by=person(request), now=database_now()):
                raise Conflict("It is not parked.")
            return Answer.of({"id": str(message_id), "state": "waiting"}, status=202)

        answer = once(request, body, do)
        if answer.status_code == 202:
            stages.nudge("advance")
        return answer
