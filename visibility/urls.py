"""All addresses; the hooks and the socket are mounted in `asgi.py`."""

from django.urls import include, path

urlpatterns = [path("", include("visibility.web.urls"))]
