"""The guide: each page opens, its links lead somewhere, and the search finds sections."""

import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.users import signed_in
from visibility.screens.help.guide import GUIDE_PAGE_OF_SEGMENT, guide_names, load_guide_page
from visibility.web.permissions import UserRole
from visibility.web.screen_registry import SCREENS, navigation_entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


def test_every_page_opens_with_its_title(clerk: Client) -> None:
    for name in guide_names():
        title = re.findall(r"^# (.+)$", document(name), re.M)[0]
        answer = clerk.get(f"/help/{name}")
        assert answer.status_code == 200, name
        assert f"<h1>{title.replace('`', '').replace('&', '&amp;')}" in plain(answer.text), name


def test_links_of_pages_lead_to_pages_sections_and_pictures(clerk: Client) -> None:
    bad = []
    for name in sorted(guide_names()):
        html = load_guide_page(name).html
        addresses = re.findall(r'(?:href|src)="([^"]*)"', html)
        for address in addresses:
            target = urlsplit(urljoin(f"/help/{name}", address))
            if target.netloc:
                continue
            answer = clerk.get(target.path)
            is_shown = answer.status_code in {200, 302, 403}
            anchors = re.findall(r' id="([^"]*)"', answer.text if not answer.streaming else "")
            if not is_shown or (target.fragment and target.fragment not in anchors):
                bad.append((name, address, answer.status_code))
    assert bad == []


def test_links_to_other_files_are_text() -> None:
    html = load_guide_page("kpis").html + load_guide_page("security").html
    assert ".md" not in " ".join(re.findall(r'href="([^"]*)"', html))


def test_raw_html_of_a_document_is_not_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    text = "# Title\n\n<script>x</script>\n\ntext <b onclick=x>bold</b>\n\n<i onclick=x></i>\n\n"
    text += "[x](javascript:a)\n"
    (tmp_path / "docs" / "start.md").write_text(text)
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    html = load_guide_page.__wrapped__("start").html
    assert "<script" not in html
    assert "<b" not in html
    assert "<i" not in html
    assert 'href="javascript' not in html
    assert "bold" in html


def test_search_finds_words_in_other_forms_and_links_to_the_section(clerk: Client) -> None:
    text = clerk.get("/help?text=snoozing").text
    assert 'href="/help/alerts#' in text
    assert "<mark>" in text
    # A heading counts more than a mention.
    first = re.findall(r'<h2><a href="([^"]+)"', clerk.get("/help?text=whose+number").text)[0]
    assert first == "/help/sources#whose-number-is-it"


def test_search_without_a_match_says_so_and_escapes_the_words(clerk: Client) -> None:
    text = clerk.get("/help", {"text": '<img src=x> "unbalanced'}).text
    assert "No section has" in text
    assert "<img src=x" not in text


def test_search_takes_one_statement(clerk: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        clerk.get("/help?text=alert")
    assert sum("websearch_to_tsquery" in query["sql"] for query in queries) == 1


def test_unknown_pages_and_pictures_are_not_found(clerk: Client) -> None:
    for address in ("/help/nothing", "/help/../README", "/help/decisions/0042-lists"):
        assert clerk.get(address).status_code == 404, address
    for address in ("/help/pictures/nothing.png", "/help/pictures/..%2Fapi.md"):
        assert clerk.get(address).status_code == 404, address


def test_the_guide_is_for_signed_in_people() -> None:
    for address in ("/help", "/help/start", "/help/pictures/whose-number.svg"):
        assert Client().get(address).status_code == 302, address


def test_pages_of_the_product_link_to_their_page_of_the_guide(clerk: Client) -> None:
    for address, page in (("/orders", "orders"), ("/alerts", "alerts"), ("/account", "people")):
        assert f'href="/help/{page}">Guide: ' in clerk.get(address).text, address


def test_every_section_of_the_navigation_has_a_page() -> None:
    segments = {entry.path.split("/")[1] for entry in navigation_entries(SCREENS)}
    assert sorted(segments - set(GUIDE_PAGE_OF_SEGMENT)) == []
    assert set(GUIDE_PAGE_OF_SEGMENT.values()) <= guide_names()


def document(name: str) -> str:
    return (Path(settings.BASE_DIR) / "docs" / f"{name}.md").read_text()


def plain(html: str) -> str:
    return re.sub(r"</?code>", "", html)
