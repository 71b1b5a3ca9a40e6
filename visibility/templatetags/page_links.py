"""The template tag for links to pages that not every role may open."""

import html
import re
from collections.abc import Callable, Mapping
from typing import Any

from django import template
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
LINK = re.compile(r'(?s)<a(\s[^>]*?)\s?href="([^"]*)"([^>]*)>(.*?)</a>')


class LinksIfAllowed(template.Node):
    """Renders its content, without the links to pages that the user may not open."""

    def __init__(self, nodelist: NodeList, *, has_text: bool) -> None:
        self.nodelist = nodelist
        self._has_text = has_text

    def render(self, context: Context) -> SafeString:
        """The content. A link that the user may not open becomes its text, or nothing.

        `may_open` comes from `page_context`; without a request, all links stay.
        """
        may_open: Callable[[str], bool] | None = context.get("may_open")
        content = self.nodelist.render(context)
        if may_open is None:
            return content

        def link_or_text(match: re.Match[str]) -> str:
            if may_open(html.unescape(match[2])):
                return match[0]
            if not self._has_text:
                return ""
            attributes = match[1].rstrip() + match[3]
            role = ' role="img"' if "aria-label=" in attributes else ""
            return f"<span{attributes}{role}>{match[4]}</span>" if attributes else match[4]

        return mark_safe(LINK.sub(link_or_text, content))  # noqa: S308


@register.tag
def links_if_allowed(parser: Parser, token: Token) -> LinksIfAllowed:
    """`{% links_if_allowed %}...{% endlinks_if_allowed %}`, with `or_nothing` to drop the text."""
    options = token.split_contents()[1:]
    if options not in ([], ["or_nothing"]):
        raise template.TemplateSyntaxError("links_if_allowed takes only the word or_nothing.")
    nodelist = parser.parse(("endlinks_if_allowed",))
    parser.delete_first_token()
    return LinksIfAllowed(nodelist, has_text=not options)


@register.filter
def links_of_number(links: Mapping[str, Any], number: str) -> Any:
    """The links of a number to its records in other systems."""
    return links.get(number, ())
