"""One process: the intake in plain ASGI, the socket, and Django for everything else."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")

import django
from django.core.asgi import get_asgi_application

django.setup()
pages = get_asgi_application()

from visibility import gc_tuning  # noqa: E402
from visibility.web.intake.cloudevents import EVENTS_PATH, Events  # noqa: E402
from visibility.web.intake.sources import Gate  # noqa: E402
from visibility.web.intake.webhooks import PREFIX, Hooks  # noqa: E402
from visibility.web.live.consumer import socket  # noqa: E402

gc_tuning.settle()
_gate: Gate | None = None
_hooks: Hooks | None = None
_events: Events | None = None


def intake() -> tuple[Hooks, Events]:
    """The intake of this process, made when the loop first asks for it."""
    global _gate, _hooks, _events
    if _hooks is None or _events is None:
        _gate = Gate()
        _hooks, _events = Hooks(_gate), Events(_gate)
    return _hooks, _events


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route by kind and path."""
    if scope["type"] == "websocket":
        await socket(scope, receive, send)
    elif scope["type"] == "http" and scope["path"].startswith(PREFIX):
        await intake()[0](scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == EVENTS_PATH and scope["method"] == "POST":
        await intake()[1](scope, receive, send)
    else:
        await pages(scope, receive, send)
