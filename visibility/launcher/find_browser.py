"""Find the browser on the PATH that takes the screenshots and runs the browser tests."""

import shutil

# Chromium without its own windows comes first: it needs a third of the CPU time.
BROWSER_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Chromium's sandbox does not work as root. The browser only opens the product's own pages.
BROWSER_FLAGS = ("--no-sandbox",)


def find_browser() -> str | None:
    """The path of the browser, or None if none is installed."""
    return next(filter(None, map(shutil.which, BROWSER_NAMES)), None)
