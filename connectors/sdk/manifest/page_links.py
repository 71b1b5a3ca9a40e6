"""Find the next page of a poll: a link, a page number, an offset or a cursor."""

import re
from collections.abc import Mapping

from connectors.sdk.http import HttpResponse, PollError
from connectors.sdk.manifest.definition import PollRule
from connectors.sdk.manifest.paths import Scope, parse_path
from connectors.sdk.payload import PayloadError

NEXT_LINK = re.compile(r"<([^<>]{1,2000})>\s*;[^,]*\brel=\"?next\"?")
# The URL ("" for the same) and the query of a request.
PageRequest = tuple[str, dict[str, str]]


def next_request(
    rule: PollRule,
    response: HttpResponse,
    scope: Scope,
    query: Mapping[str, str],
    progress: tuple[int, int],
) -> PageRequest | None:
    """Return the next request, or None after the last page. `progress` is (page, records)."""
    page_number, record_count = progress
    following = rule.next_page
    if following.get("link_header") == "yes":
        headers = {name.lower(): text for name, text in response.headers.items()}
        match = NEXT_LINK.search(headers.get("link", ""))
        return (match[1], {}) if match else None
    if "url_field" in following:
        link = _text_at(following["url_field"], scope)
        return (link, {}) if link else None
    if "cursor_field" in following:
        cursor = _text_at(following["cursor_field"], scope)
        return ("", {**query, following["cursor_query"]: cursor}) if cursor else None
    if record_count < rule.page_size:
        return None
    if "page_query" in following:
        return "", {**query, following["page_query"]: str(page_number + 1)}
    if "offset_query" in following:
        return "", {**query, following["offset_query"]: str(page_number * rule.page_size)}
    return None


def _text_at(path: str, scope: Scope) -> str:
    try:
        return parse_path(path).text_in(scope)
    except (PayloadError, ValueError) as error:
        raise PollError(f"the response is invalid ({error})") from None
