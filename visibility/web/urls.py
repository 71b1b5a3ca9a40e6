"""The pages' addresses: each page module brings its own."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

PAGES = (
    "people",
    "exports",
    "orders",
    "alerts",
    "boards",
    "numbers",
    "sources",
    "joins",
    "mappings",
    "system",
)

urlpatterns: list[URLPattern | URLResolver] = [
    *(
        path("", include(f"visibility.web.pages.{page}"))
        for page in PAGES
        if find_spec(f"visibility.web.pages.{page}")
    ),
    *(
        [path("api/v1/", include("visibility.web.api.urls"))]
        if find_spec("visibility.web.api.urls")
        else []
    ),
]
