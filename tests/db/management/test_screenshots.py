"""Error messages of `manage.py screenshots`."""

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from visibility.launcher import find_browser
from visibility.management.commands import screenshots


def test_screenshots_need_a_demo(settings: Settings) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="Screenshots need a demo"):
        call_command("screenshots")


def test_missing_playwright_is_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEMO = True
    monkeypatch.setattr(screenshots, "find_spec", lambda _: None)
    with pytest.raises(CommandError, match=r"requirements-dev\.lock"):
        call_command("screenshots")


def test_missing_browser_is_reported(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEMO = True
    monkeypatch.setattr(find_browser, "find_browser", lambda: None)
    with pytest.raises(CommandError, match="chromium, chromium-browser, google-chrome"):
        call_command("screenshots")


@pytest.mark.django_db
def test_missing_partially_shipped_order_is_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEMO = True
    monkeypatch.setattr(find_browser, "find_browser", lambda: "/usr/bin/chromium")
    with pytest.raises(CommandError, match="No order is partially shipped yet"):
        call_command("screenshots")
