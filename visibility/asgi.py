"""ASGI entry point: intake in plain ASGI, live sockets in Channels, Django for the rest."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")

import django
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

from visibility import gc_tuning

with gc_tuning.without_collection():
    django.setup()
    django_application = get_asgi_application()
    # Load the pages now, not during the first request.
    get_resolver().url_patterns  # noqa: B018  # it is a property that loads them

from channels.routing import ProtocolTypeRouter

from visibility.web.intake.cloudevents_endpoint import EVENTS_PATH, CloudEventsEndpoint
from visibility.web.intake.limit_body_and_headers import call_with_limited_body
from visibility.web.intake.source_cache import SourceCache
from visibility.web.intake.webhook_endpoint import PREFIX, WebhookEndpoint
from visibility.web.live.routing import websocket_application

gc_tuning.freeze_loaded_objects()
_source_cache: SourceCache | None = None
_webhooks: WebhookEndpoint | None = None
_events: CloudEventsEndpoint | None = None


def webhook_and_cloudevents_endpoints() -> tuple[WebhookEndpoint, CloudEventsEndpoint]:
    """The intake endpoints, created inside the event loop by the first request."""
    global _source_cache, _webhooks, _events
    if _webhooks is None or _events is None:
        _source_cache = SourceCache()
        _webhooks, _events = WebhookEndpoint(_source_cache), CloudEventsEndpoint(_source_cache)
    return _webhooks, _events


async def route_http_to_intake_or_django(scope: Any, receive: Any, send: Any) -> None:
    """Route intake past Django's handler, which costs more than storing the message."""
    if scope["path"].startswith(PREFIX):
        await webhook_and_cloudevents_endpoints()[0](scope, receive, send)
    elif scope["path"] == EVENTS_PATH and scope["method"] == "POST":
        await webhook_and_cloudevents_endpoints()[1](scope, receive, send)
    else:
        await call_with_limited_body(django_application, scope, receive, send)


application = ProtocolTypeRouter(
    {"http": route_http_to_intake_or_django, "websocket": websocket_application}
)
