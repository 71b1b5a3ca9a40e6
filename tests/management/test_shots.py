"""The documents' pictures: what is said when they can't be taken."""

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from visibility.launcher import browser
from visibility.management.commands import screenshots


def test_only_a_demonstration_is_photographed(settings: Settings) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="Only of a demonstration"):
        call_command("shots")


def test_a_missing_playwright_is_said_plainly(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEMO = True
    monkeypatch.setattr(screenshots, "find_spec", lambda _: None)
    with pytest.raises(CommandError, match=r"requirements-dev\.lock"):
        call_command("shots")


def test_a_missing_browser_is_said_plainly(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEMO = True
    monkeypatch.setattr(browser, "find", lambda: None)
    with pytest.raises(CommandError, match="chromium, chromium-browser, google-chrome"):
        call_command("shots")


@pytest.mark.django_db
def test_without_an_order_under_way_there_is_nothing_to_show(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEMO = True
    monkeypatch.setattr(browser, "find", lambda: "/usr/bin/chromium")
    with pytest.raises(CommandError, match="No order is partly shipped yet"):
        call_command("shots")
