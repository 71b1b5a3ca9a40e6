"""Poll a system as a manifest declares it: requests, authorization, pages, cursor and budget."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from connectors.sdk.encode_json import encode_json
from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.manifest.definition import PollRule, ReadRule
from connectors.sdk.manifest.page_links import PageRequest, next_request, parse_json_response
from connectors.sdk.manifest.paths import Scope, Template
from connectors.sdk.manifest.poll_state import PollState, poll_time, time_text_minus_overlap
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpResponse,
    PollContext,
    PolledPage,
    PolledRecord,
    PollError,
    error_of_response,
)

MAX_PAGES = 1_000
# Times without an offset may be of any time zone.
MAX_AHEAD = timedelta(days=1)
EMPTY = Node(None, "", [False])


@dataclass(slots=True)
class ManifestPoller:
    """One poll of one source."""

    rule: PollRule
    read: ReadRule
    http: HttpClient
    texts: Mapping[str, str]
    secrets: Sequence[bytes]
    context: PollContext
    state: PollState = field(default_factory=PollState)
    _token: str = ""
    _secret_index: int = 0

    def pages(self, cursor: str) -> Iterator[PolledPage]:
        """Yield pages with the cursor to store in the same transaction. Raises PollError."""
        self.state = PollState.parse(cursor)
        if self.rule.about_open_packages:
            yield from self._pages_about_packages()
        else:
            yield from self._changed_pages()

    def _pages_about_packages(self) -> Iterator[PolledPage]:
        """Ask for the open packages, continuing after the last one that was asked for."""
        packages = self.context.open_packages(self.rule.carriers, self.state.last_number)
        numbers = sorted({package.tracking_number for package in packages})
        queue = self.state.numbers_to_ask(numbers)
        self.state.pass_end = queue[-1] if queue else ""
        size = self.rule.numbers_per_call
        for start in range(0, len(queue), size):
            if not self._may_make_another_call():
                return
            if self.rule.limit_calls:
                yield PolledPage((), self.state.format())  # a failing call counts as well
            batch = queue[start : start + size]
            document = parse_json_response(
                self._send_or_retry_401(self._render_url(batch), self._query(batch), batch)
            )
            self.state.last_number = batch[-1]
            if batch[-1] == queue[-1] or not self._has_calls_left():
                self.state.record_every_package_asked()
            yield PolledPage(self._records(document), self.state.format())

    def _changed_pages(self) -> Iterator[PolledPage]:
        """Read every page of what changed since the cursor."""
        newest, previous, is_ordered = self.state.since, "", True
        url, query = self._render_url(()), self._query(())
        visited: set[tuple[str, str]] = set()
        for number in range(1, MAX_PAGES + 1):
            if not self._may_make_another_call():
                return
            response = self._send_or_retry_401(url, query, ())
            document = parse_json_response(response)
            records = self._record_scopes(document)
            for scope in records:
                at = self._changed_at(scope)
                is_ordered &= not at or not previous or poll_time(at) >= poll_time(previous)
                previous = at or previous
                if at and (not newest or poll_time(at) > poll_time(newest)):
                    newest = at
            following = (
                self._request_from_newest(query, newest, len(records))
                if self.rule.next_page.get("from_newest") == "yes"
                else next_request(
                    self.rule, response, self._scope(document), query, (number, len(records))
                )
            )
            # Rows out of order could hide older ones on later pages.
            self.state.since = newest if is_ordered or following is None else self.state.since
            yield PolledPage(tuple(map(self._record, records)), self.state.format())
            if following is None:
                return
            link, query = following
            url = urljoin(url, link) if link else url
            if urlsplit(url)[:2] != urlsplit(self._render_url(()))[:2]:
                raise PollError("the link to the next page points to another host")
            if (url, str(query)) in visited:
                raise PollError("the next page was read already")
            visited.add((url, str(query)))
        raise PollError(f"more than {MAX_PAGES} pages")

    def _request_from_newest(
        self, query: Mapping[str, str], newest: str, count: int
    ) -> PageRequest | None:
        """Ask again from the newest change, so that rows that move to the end hide no others.

        The second before it is asked for as well: its other rows may have been on the next page.
        """
        if count < self.rule.page_size:
            return None
        since = time_text_minus_overlap(newest, timedelta(seconds=1)) if newest else ""
        if not newest or since == query.get(self.rule.cursor_query):
            raise PollError(f"{count} or more rows have the same time of change")
        return "", {**query, self.rule.cursor_query: since}

    def _changed_at(self, scope: Scope) -> str:
        if self.rule.cursor_field is None:
            return ""
        try:
            text = self.rule.cursor_field.evaluate(scope)
        except PayloadError as error:
            raise PollError(str(error)) from None
        # A time far ahead would hide every later change.
        return text if text and poll_time(text) <= self.context.now + MAX_AHEAD else ""

    def _query(self, numbers: Sequence[str]) -> dict[str, str]:
        query = {name: self._render(text, numbers) for name, text in self.rule.query.items()}
        since = self.state.since
        if self.rule.cursor_query and since:
            query[self.rule.cursor_query] = time_text_minus_overlap(since, self.rule.overlap)
        elif self.rule.cursor_query and self.rule.cursor_start:
            query[self.rule.cursor_query] = self.rule.cursor_start
        next_page = self.rule.next_page
        if "page_query" in next_page:
            query[next_page["page_query"]] = "1"
        if "offset_query" in next_page:
            query[next_page["offset_query"]] = "0"
        return query

    def _render_url(self, numbers: Sequence[str]) -> str:
        return self._render(self.rule.url, numbers)

    def _render(self, template: Template, numbers: Sequence[str] = ()) -> str:
        secret = self._secret()
        texts = {**self.texts, "secret": secret, "number": ",".join(numbers)}
        try:
            return template.render(Scope(EMPTY, texts, self.read.reading))
        except PayloadError as error:
            raise PollError(str(error)) from None

    def _secret(self) -> str:
        if not self.secrets:
            return ""
        return self.secrets[self._secret_index % len(self.secrets)].decode("utf-8", "replace")

    def _send_or_retry_401(
        self, url: str, query: Mapping[str, str], numbers: Sequence[str]
    ) -> HttpResponse:
        """Send the request; after a 401, once more with a new token or the other secret."""
        response = self._send_with_authorization(url, query, numbers)
        if response.status == 401:
            self._token, self._secret_index = "", self._secret_index + 1
            response = self._send_with_authorization(url, query, numbers)
        if not 200 <= response.status < 300:
            raise error_of_response("the request", response)
        return response

    def _send_with_authorization(
        self, url: str, query: Mapping[str, str], numbers: Sequence[str]
    ) -> HttpResponse:
        headers = {name: self._render(text) for name, text in self.rule.headers.items()}
        headers = {"accept": "application/json", **headers, **self._authorization()}
        try:
            if not self.rule.is_post:
                return self.http.get(url, params=query, headers=headers)
            content = encode_json(self._body(self.rule.body, numbers))
            headers["content-type"] = "application/json"
            return self.http.post_json(url, content=content, params=query, headers=headers)
        except ConnectionError as error:
            raise PollError(f"no response: {error}") from error

    def _authorization(self) -> dict[str, str]:
        method, given = self.rule.auth_method, self.rule.auth
        if method == "basic":
            credentials = base64.b64encode(self._render(given["value"]).encode()).decode()
            return {"authorization": f"Basic {credentials}"}
        if method == "bearer":
            return {"authorization": f"Bearer {self._render(given['value'])}"}
        if method == "header":
            return {self._render(given["name"]).lower(): self._render(given["value"])}
        if method == "oauth2_client_credentials":
            self._token = self._token or self._fetch_token(given)
            return {"authorization": f"Bearer {self._token}"}
        return {}

    def _fetch_token(self, given: Mapping[str, Template]) -> str:
        form = {"grant_type": "client_credentials"} | {
            name: self._render(text) for name, text in given.items() if name != "token_url"
        }
        try:
            response = self.http.post_form(self._render(given["token_url"]), data=form)
        except ConnectionError as error:
            raise PollError(f"no response to the token request: {error}") from error
        if response.status != 200:
            raise error_of_response("the token request", response)
        try:
            return parse_json_response(response).required_text("access_token")
        except PayloadError as error:
            raise PollError(f"the token response is invalid ({error})") from None

    def _body(self, data: Any, numbers: Sequence[str]) -> Any:
        """Fill in the JSON body. `$each_number` is a list with one element per number."""
        if isinstance(data, Template):
            return self._render(data, numbers)
        if isinstance(data, list):
            return [self._body(item, numbers) for item in data]
        if not isinstance(data, dict):
            return {}
        if "$each_number" in data:
            return [self._body(data["$each_number"], (number,)) for number in numbers]
        if "$boolean" in data:
            return self._render(data["$boolean"], numbers) in {"yes", "true"}
        return {name: self._body(item, numbers) for name, item in data.items()}

    def _scope(self, document: Node) -> Scope:
        return Scope(document, self.texts, self.read.reading)

    def _record_scopes(self, document: Node) -> list[Scope]:
        try:
            if self.rule.records:
                return self.rule.records.elements(self._scope(document))
            if isinstance(document.value, list):
                return [self._scope(node) for node in document.as_list()]
        except PayloadError as error:
            raise PollError(f"the response is invalid ({error})") from None
        return [self._scope(document)]

    def _records(self, document: Node) -> tuple[PolledRecord, ...]:
        return tuple(map(self._record, self._record_scopes(document)))

    def _record(self, scope: Scope) -> PolledRecord:
        """A record as a message. Without a declared key, its content identifies it."""
        body = encode_json(scope.node.value)
        try:
            key = self.rule.record_key.render(scope) if self.rule.record_key else ""
        except PayloadError:
            key = ""
        return PolledRecord(key or f"sha256 {hashlib.sha256(body).hexdigest()}", body)

    def _may_make_another_call(self) -> bool:
        """Count a call; False if the budget of the window is used up."""
        if not self.rule.limit_calls:
            return True
        now = self.context.now
        started = (
            datetime.fromisoformat(self.state.window_start) if self.state.window_start else now
        )
        if not self.state.window_start or now - started >= self.rule.limit_period:
            self.state.window_start, self.state.calls = format_rfc3339(now), 0
        if self.state.calls >= self.rule.limit_calls:
            return False
        self.state.calls += 1
        return True

    def _has_calls_left(self) -> bool:
        return not self.rule.limit_calls or self.state.calls < self.rule.limit_calls


def settings_needed(rule: PollRule) -> set[str]:
    """Return the names of the settings in the URL and the authorization of a poll."""
    templates = [rule.url, *rule.auth.values()]
    return {p.setting for template in templates for p in template.placeholders if p.setting}
