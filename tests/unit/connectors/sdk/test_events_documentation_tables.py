"""The tables of docs/events.md are generated from the vocabulary."""

import pytest
from django.core.management import CommandError, call_command

from connectors.sdk.events import Attribute, EventType, IdentifierScheme, Measure, ObjectKind
from connectors.sdk.events_documentation_tables import (
    UnknownTable,
    replace_tables_in_document_text,
    vocabulary_tables,
)
from visibility.launcher.instance_lock_and_environment import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "events.md"


def test_tables_of_the_document_are_current() -> None:
    assert replace_tables_in_document_text(DOCUMENT.read_text()) == DOCUMENT.read_text()
    call_command("document_events", check=True)


def test_outdated_table_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "visibility.management.commands.document_events.replace_tables_in_document_text",
        lambda text: f"{text} ",
    )
    with pytest.raises(CommandError, match="not current"):
        call_command("document_events", check=True)


def test_document_has_every_table_with_every_term() -> None:
    text = DOCUMENT.read_text()
    assert all(f"<!-- table: {name} -->" in text for name in vocabulary_tables())
    for enum in (ObjectKind, IdentifierScheme, Measure, Attribute):
        assert [member for member in enum if f"\n| `{member}` |" not in text] == []
    sent = [event_type for event_type in EventType if event_type is not EventType.UNMAPPED]
    assert [event_type for event_type in sent if f"\n| `{event_type}` |" not in text] == []


def test_marker_of_an_unknown_table_is_an_error() -> None:
    with pytest.raises(UnknownTable, match="'nothing' is not a table"):
        replace_tables_in_document_text("<!-- table: nothing -->\n<!-- end -->")
