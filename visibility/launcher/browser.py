"""The browser on the PATH that takes the pictures and runs the tests of the pages."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A browser that root starts has no sandbox of its own; it sees nothing but our own pages.
FLAGS = ("--no-sandbox",)


def find() -> str | None:
    """Its path; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)
