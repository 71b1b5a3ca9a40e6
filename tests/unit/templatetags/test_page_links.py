"""Links that a person may not open become text, or nothing."""

import pytest
from django.template import Context, Template, TemplateSyntaxError

LINKS = '<a class="row" href="/open?a=1&amp;b=2">one</a> <a href="/closed?a=1&amp;b=2">two</a>'
MARKER = '<a class="marker" href="/closed" aria-label="Shipped" title="x">3</a>'


def render(content: str, option: str = "") -> str:
    text = f"{{% load page_links %}}{{% links_if_allowed {option} %}}{content}"
    asked: list[str] = []

    def may_open(url: str) -> bool:
        asked.append(url)
        return url == "/open?a=1&b=2"

    page = Template(text + "{% endlinks_if_allowed %}").render(Context({"may_open": may_open}))
    assert asked
    return page


def test_link_without_permission_becomes_its_text() -> None:
    assert render(LINKS) == '<a class="row" href="/open?a=1&amp;b=2">one</a> two'


def test_link_without_permission_keeps_its_looks_and_its_name() -> None:
    expected = '<span class="marker" aria-label="Shipped" title="x" role="img">3</span>'
    assert render(MARKER) == expected


def test_link_that_is_only_a_way_to_a_page_is_left_out() -> None:
    assert render(LINKS, "or_nothing") == '<a class="row" href="/open?a=1&amp;b=2">one</a> '


def test_other_words_are_an_error() -> None:
    with pytest.raises(TemplateSyntaxError):
        render(LINKS, "sometimes")
