"""Routes WebSocket connections: same origin first, then the path, then the session."""

from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from visibility.web.live.consumer import LiveConsumer
from visibility.web.live.origin import SameOriginMiddleware
from visibility.web.live.ready_frames import ReadyFrameMiddleware
from visibility.web.people.session_user import socket_user_stack

websocket_application = ReadyFrameMiddleware(
    SameOriginMiddleware(
        URLRouter(
            [
                path("ws/live", socket_user_stack(LiveConsumer.as_asgi())),
                # Without this route URLRouter raises, and each stray request logs a traceback.
                re_path("", WebsocketDenier.as_asgi()),
            ]
        )
    )
)
