"""All URLs of Django. `asgi.py` mounts the webhooks and the WebSocket."""

from django.urls import include, path

urlpatterns = [path("", include("visibility.web.urls"))]
handler500 = "visibility.web.server_error.server_error_view"
