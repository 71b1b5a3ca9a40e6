"""The pages of connectors and the README table agree with the declarations."""

from pathlib import Path

from django.conf import settings

from connectors.catalog import connectors_by_slug, shipped_connectors
from connectors.sdk.settings import Setting, SettingType
from connectors.systems.shopify.connector import Shopify
from visibility.management.connector_documentation import (
    BEGIN,
    END,
    QUEUE_END,
    build_connector_markdown_page,
    generate_document_texts_by_path,
    pages_of_removed_connectors,
)


def test_documents_are_current() -> None:
    files = generate_document_texts_by_path(settings.BASE_DIR, shipped_connectors())
    assert len(files) == len(shipped_connectors()) + 2  # README.md and docs/sources.md
    outdated = [p.name for p, text in files.items() if not p.is_file() or p.read_text() != text]
    assert not outdated, "run `manage.py connector_docs`"
    assert not pages_of_removed_connectors(settings.BASE_DIR, shipped_connectors())


def test_every_connector_says_how_its_messages_arrive() -> None:
    assert not [slug for slug, kind in connectors_by_slug().items() if not kind.reception]


def test_every_page_says_what_arrives_and_shows_an_example() -> None:
    for slug, kind in shipped_connectors().items():
        page = build_connector_markdown_page(kind)
        assert "## Set up\n\n" in page, slug
        assert "## What arrives\n\n" in page, slug
        assert "## Example\n\n" in page, slug


def test_the_page_lists_topics_permissions_and_what_is_not_covered() -> None:
    class Listed(Shopify):
        """Shopify with lists."""

        topics = ("orders/create",)
        permissions = ("read_orders",)
        not_covered = ("Draft orders.",)

    page = build_connector_markdown_page(Listed)
    assert "## Topics\n\n- orders/create\n" in page
    assert "## Permissions\n\n- read_orders\n" in page
    assert "## Not covered\n\n- Draft orders.\n" in page
    assert "\n| `shipment.delivered` | " in page


def test_a_new_setting_appears_on_the_page(tmp_path: Path) -> None:
    class Changed(Shopify):
        """Shopify with another setting."""

        settings = (
            Setting("pages", "Pages.", SettingType.INTEGER, default="3", required=True, minimum=1),
        )

    assert (
        "| `pages` | whole number from 1; required; default `3` | Pages. |"
        in build_connector_markdown_page(Changed)
    )
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}old\n{END}after\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "sources.md").write_text(f"{BEGIN}old\n{QUEUE_END}after\n")
    text = generate_document_texts_by_path(tmp_path, {"shopify": Changed})[tmp_path / "README.md"]
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| Shopify | [`shopify`]" in text
