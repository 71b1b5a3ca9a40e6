"""Find the next page of a poll: a link, a number, an offset or a cursor."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urljoin

from connectors.sdk.manifest.definition import PollRule
from connectors.sdk.manifest.paths import Scope, parse_path
from connectors.sdk.manifest.poll_state import parse_poll_time, time_text_minus_overlap
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import HttpResponse, PollError

NEXT_LINK = re.compile(r"<([^<>]{1,2000})>\s*;[^,]*\brel=\"?next\"?")
NUMBERED_METHODS = frozenset({"page_query", "offset_query", "page_in_body", "offset_in_body"})


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Which page to request.

    `since` is the time of change from which rows are requested, `page_cursor` the cursor of the
    page, and `link` the URL of the page, which then replaces URL and query.
    """

    since: str = ""
    number: int = 1
    page_cursor: str = ""
    link: str = ""

    def query(self, rule: PollRule) -> dict[str, str]:
        """Return the members of the query that name this page."""
        following = rule.next_page
        offset = str((self.number - 1) * rule.page_size)
        query = {
            rule.cursor_query: self.since,
            following.get("cursor_query", ""): self.page_cursor,
            following.get("page_query", ""): str(self.number),
            following.get("offset_query", ""): offset,
        }
        return {name: text for name, text in query.items() if name and text}

    def headers(self, rule: PollRule) -> dict[str, str]:
        """Return the header that says from which time of change on rows are requested."""
        return {rule.cursor_header: self.since} if rule.cursor_header and self.since else {}

    def texts_for_request_templates(self, rule: PollRule) -> dict[str, str]:
        """Return the texts that templates of the request can name."""
        return {
            "since": self.since,
            "page_cursor": self.page_cursor,
            "page": str(self.number),
            "offset": str((self.number - 1) * rule.page_size),
        }

    def next(
        self, rule: PollRule, response: HttpResponse, document: Scope, url: str, count: int
    ) -> "PagePosition | None":
        """Return the next page, or None after the last one. `count` is the number of records."""
        following = rule.next_page
        if following.get("link_header") == "yes":
            headers = {name.lower(): text for name, text in response.headers.items()}
            match = NEXT_LINK.search(headers.get("link", ""))
            return replace(self, link=urljoin(url, match[1])) if match else None
        if "url_field" in following:
            link = _text_at(following["url_field"], document)
            return replace(self, link=urljoin(url, link)) if link else None
        if "page_info" in following:
            cursor = _end_cursor(following["page_info"], document)
            return replace(self, page_cursor=cursor) if cursor else None
        if "cursor_field" in following:
            cursor = _text_at(following["cursor_field"], document)
            return replace(self, page_cursor=cursor) if cursor else None
        if count < rule.page_size or not NUMBERED_METHODS & following.keys():
            return None
        return replace(self, number=self.number + 1)

    def next_position_since_newest_change(
        self, rule: PollRule, times: Sequence[str]
    ) -> "PagePosition | None":
        """Return a request from the newest change of this page on, which has these times.

        Rows that move to the end while pages are read then hide no others. The second before is
        requested as well: its other rows may be on the next page.
        """
        if len(times) < rule.page_size:
            return None
        newest = max(filter(None, times), key=parse_poll_time, default="")
        second = timedelta(seconds=1)
        since = time_text_minus_overlap(newest, second, rule.cursor_format) if newest else ""
        if not newest or since == self.since:
            raise PollError(f"{len(times)} or more rows have the same time of change")
        return replace(self, since=since)


def _end_cursor(path: str, document: Scope) -> str:
    """Return the cursor of the next page from a `pageInfo`; "" after the last page.

    https://relay.dev/graphql/connections.htm#sec-undefined.PageInfo
    """
    if not _text_at(f"{path}.hasNextPage", document):
        raise PollError(f"the response has no {path}.hasNextPage")
    if _text_at(f"{path}.hasNextPage", document) != "true":
        return ""
    cursor = _text_at(f"{path}.endCursor", document)
    if not cursor:
        raise PollError(f"the response has more pages and no {path}.endCursor")
    return cursor


def _text_at(path: str, scope: Scope) -> str:
    try:
        return parse_path(path).text_in(scope)
    except (PayloadError, ValueError) as error:
        raise PollError(f"the response is invalid ({error})") from None
