"""Reads the forms of a page, to send them as a browser would."""

from html.parser import HTMLParser
from typing import Any

Attributes = list[tuple[str, str | None]]


class FormReader(HTMLParser):
    """Reads what a browser would send from the form with this id."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id, self.values, self.action = form_id, dict[str, Any](), ""
        self._is_inside, self._select, self._textarea = False, "", ""
        # Whether the text of an option without a value is the value of the select.
        self._is_chosen = False

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        given = {name: text or "" for name, text in attrs}
        if tag == "form":
            self._is_inside = given.get("id") == self.form_id
            self.action = given.get("action", "") if self._is_inside else self.action
        elif self._is_inside and tag == "input" and given.get("name"):
            is_box = given.get("type") in {"checkbox", "radio"}
            if not is_box or "checked" in given:
                self._add(given["name"], given.get("value", "on" if is_box else ""))
        elif self._is_inside and tag == "select":
            self._select = given["name"]
        elif self._select and tag == "option":
            self._is_chosen = "selected" in given or self._select not in self.values
            if self._is_chosen:
                self.values[self._select] = given.get("value", "")
            self._is_chosen = self._is_chosen and "value" not in given
        elif self._is_inside and tag == "textarea":
            self._textarea = given["name"]
            self.values[self._textarea] = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] += data
        if self._select and self._is_chosen and data.strip():
            self.values[self._select], self._is_chosen = data.strip(), False

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea" and self._textarea:
            # A browser leaves out a line break at the start.
            self.values[self._textarea] = self.values[self._textarea].removeprefix("\n")
            self._textarea = ""

    def _add(self, name: str, text: str) -> None:
        if name in {"severities", "rule", "members", "teams"}:
            self.values.setdefault(name, []).append(text)
        else:
            self.values[name] = text
