"""Redirects after a sign-in stay on this site."""

from django.utils.http import url_has_allowed_host_and_scheme


def local_path_or_empty(url: str) -> str:
    """The path if it is on this site, else ""."""
    inside = url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if inside else ""
