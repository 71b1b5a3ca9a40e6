"""URL configuration. Each page module defines its own patterns."""

from django.urls import URLPattern, URLResolver, include, path

PAGES = (
    "accounts",
    "exports",
    "orders",
    "search",
    "alerts",
    "alert_actions",
    "boards",
    "kpis",
    "sources",
    "identity",
    "mappings",
    "rules",
    "health",
)

urlpatterns: list[URLPattern | URLResolver] = [
    *(path("", include(f"visibility.web.pages.{page}")) for page in PAGES),
    path("api/v1/", include("visibility.web.api.urls")),
]
