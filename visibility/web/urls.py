"""URL configuration: the screens of the registry, and the API."""

from django.urls import URLPattern, URLResolver, include, path

from visibility.web.screen_registry import SCREENS, screen_urls

urlpatterns: list[URLPattern | URLResolver] = [
    *screen_urls(SCREENS),
    path("api/v1/", include("visibility.web.api.urls")),
]
