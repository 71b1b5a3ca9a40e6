"""Poll a system as a manifest declares it: pages, cursor, files, and budget of calls."""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial
from urllib.parse import urljoin, urlsplit

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.manifest.build_poll_requests import (
    RequestTemplateTexts,
    build_authorization_per_secret,
    build_request,
    polled_record,
    read_response_document,
    settings_in_templates,
)
from connectors.sdk.manifest.definition import ListedFileDownloadRule, PollRule, ReadRule
from connectors.sdk.manifest.open_package_numbers import (
    carrier_code_by_number,
    says_that_numbers_are_unknown,
)
from connectors.sdk.manifest.page_links import PagePosition
from connectors.sdk.manifest.paths import Scope, Template
from connectors.sdk.manifest.poll_call_budget import (
    calls_per_window,
    count_call_unless_limit_reached,
)
from connectors.sdk.manifest.poll_state import PollState, parse_poll_time, time_text_minus_overlap
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.request_authorization import BaseAuthorization
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollContext,
    PolledPage,
    PolledRecord,
    PollError,
)

# Times without an offset may be of any time zone.
MAX_AHEAD = timedelta(days=1)
# Files are stored after so many downloads, so that a slow system does not lose them.
FILES_PER_PAGE = 10
MAX_LISTED_FILES = 20_000
# A file of a listing may be deleted before it is requested; the others are read.
MISSING_FILE = (403, 404, 410)
Pages = Generator[PolledPage, None, bool]


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
    _requests: AuthorizedRequests = field(init=False)
    _calls_per_window: int = field(init=False)
    _carrier_codes: dict[str, str] = field(default_factory=dict)
    _file_error: PollError | None = None

    def __post_init__(self) -> None:
        rule, request = self.rule, self.rule.request
        uses_secret = "secret" in settings_in_templates(
            [request.url, request.query, request.headers, request.body, rule.auth.texts]
        )
        texts = RequestTemplateTexts(self.texts, self.read.reading)
        self._calls_per_window = calls_per_window(rule, texts)
        secrets = self.secrets if uses_secret else ()
        now, tokens = self.context.now, self.context.tokens
        authorizations = build_authorization_per_secret(rule.auth, texts, secrets, now, tokens)
        self._requests = AuthorizedRequests(self.http, authorizations)

    def pages(self, cursor: str) -> Iterator[PolledPage]:
        """Yield pages with the cursor to store in the same transaction. Raises PollError."""
        self.state = PollState.parse(cursor)
        if self.rule.about_open_packages:
            yield from self._pages_about_packages()
        else:
            yield from self._changed_pages()

    def _pages_about_packages(self) -> Iterator[PolledPage]:
        """Ask for the open packages, continuing after the last one."""
        packages = self.context.open_packages(self.rule.carriers, self.state.last_number)
        self._carrier_codes = carrier_code_by_number(self.rule, packages)
        queue = self.state.tracking_numbers_left_to_ask(list(self._carrier_codes))
        self.state.pass_end = queue[-1] if queue else ""
        size = self.rule.numbers_per_call
        for start in range(0, len(queue), size):
            batch = queue[start : start + size]
            response = yield from self._request_page_unless_limit_reached(PagePosition(), batch)
            if response is None:
                return
            document = self._read_document(response)
            is_known = response.status not in self.rule.unknown_number
            records = self._record_scopes(document) if is_known else []
            self.state.last_number = batch[-1]
            if batch[-1] == queue[-1] or 0 < self._calls_per_window <= self.state.calls:
                self.state.record_every_package_asked()
            yield PolledPage(self._polled_records(records), self.state.to_cursor_text())

    def _changed_pages(self) -> Iterator[PolledPage]:
        """Read every page of what changed since the cursor."""
        newest, previous, is_ordered = self.state.since, "", True
        position = PagePosition(self._since_minus_overlap_or_start())
        visited: set[PagePosition] = set()
        listed: list[str] = []
        while True:
            response = yield from self._request_page_unless_limit_reached(position, ())
            if response is None:
                return
            document = self._read_document(response)
            records = self._record_scopes(document)
            times = [self._change_time_text_of_record(scope) for scope in records]
            for at in filter(None, times):
                is_ordered &= not previous or parse_poll_time(at) >= parse_poll_time(previous)
                previous = at
                newest = (
                    at if not newest or parse_poll_time(at) > parse_poll_time(newest) else newest
                )
            if self.rule.files and not (
                yield from self._download_new_listed_files_in_pages(
                    self.rule.files, records, listed
                )
            ):
                return
            following = self._next_position(position, response, document, times)
            # Rows out of order could hide older ones on later pages.
            self.state.since = newest if is_ordered or following is None else self.state.since
            if following is None and self.rule.files:
                self.state.files = listed
            yield PolledPage(
                () if self.rule.files else self._polled_records(records),
                self.state.to_cursor_text(),
            )
            if following is None:
                break
            if following in visited:
                raise PollError("the next page was read already")
            visited.add(following)
            position = following
            if "from_newest" in self.rule.next_page:
                previous = ""  # the next page repeats the end of this one
        if self._file_error:
            raise self._file_error

    def _since_minus_overlap_or_start(self) -> str:
        if not self.state.since:
            return self.rule.cursor_start
        return time_text_minus_overlap(self.state.since, self.rule.overlap)

    def _next_position(
        self, position: PagePosition, response: HttpResponse, document: Node, times: Sequence[str]
    ) -> PagePosition | None:
        if self.rule.next_page.get("from_newest") == "yes":
            return position.next_position_since_newest_change(self.rule, times)
        url = position.link or self._render(self.rule.request.url)
        following = position.next(self.rule, response, self._scope(document), url, len(times))
        if following and following.link and urlsplit(following.link)[:2] != urlsplit(url)[:2]:
            raise PollError("the link to the next page points to another host")
        return following

    def _download_new_listed_files_in_pages(
        self, rule: ListedFileDownloadRule, records: Sequence[Scope], listed: list[str]
    ) -> Pages:
        """Request the listed files that are not stored yet. False if no calls are left."""
        done = frozenset(self.state.files)
        batch: list[PolledRecord] = []
        for record in records:
            name = self._render(rule.name, record=record)
            if rule.pattern and not fnmatchcase(name.lower(), rule.pattern.lower()):
                continue
            key = polled_record(self.rule, record).dedupe_key
            digest = hashlib.sha256(key.encode()).hexdigest()[:16]
            listed.append(digest)
            if len(listed) > MAX_LISTED_FILES:
                raise PollError(f"the listing names more than {MAX_LISTED_FILES} files")
            if digest in done:
                continue
            try:
                response = yield from self._request_file_unless_limit_reached(rule, record)
            except PollError as error:
                if error.status not in MISSING_FILE:
                    raise
                listed.pop()  # requested again by the next poll that lists it
                self._file_error = PollError(f"the file {name[:100]!r}: {error}")
                continue
            if response is not None:
                headers = {"x-file-name": name[:200]}
                batch.append(PolledRecord(f"file {key}", response.body, headers))
                self.state.files.append(digest)
            if batch and (response is None or len(batch) >= FILES_PER_PAGE):
                yield PolledPage(tuple(batch), self.state.to_cursor_text())
                batch = []
            if response is None:
                return False
        if batch:
            yield PolledPage(tuple(batch), self.state.to_cursor_text())
        return True

    def _request_file_unless_limit_reached(
        self, rule: ListedFileDownloadRule, record: Scope
    ) -> Generator[PolledPage, None, HttpResponse | None]:
        base = self._render(self.rule.request.url)
        url = urljoin(base, self._render(rule.url, record=record))
        if rule.is_authorized and urlsplit(url)[:2] != urlsplit(base)[:2]:
            raise PollError("the URL of a file points to another host")
        if not (yield from self._count_call_unless_limit_reached()):
            return None
        requests = (
            self._requests
            if rule.is_authorized
            else AuthorizedRequests(self.http, [BaseAuthorization()])
        )
        request = HttpRequest("GET", url, {}, {"accept": "*/*"})
        return (yield from requests.send(lambda _: request, self.state.to_cursor_text))

    def _request_page_unless_limit_reached(
        self, position: PagePosition, numbers: Sequence[str]
    ) -> Generator[PolledPage, None, HttpResponse | None]:
        """Return the response, or None if the budget of calls is used up."""
        if not (yield from self._count_call_unless_limit_reached()):
            return None

        def build(secret_index: int) -> HttpRequest:
            texts = self._request_texts(position, numbers, secret_index)
            request = build_request(self.rule.request, texts, position.query(self.rule), numbers)
            if not position.link:
                return request
            return HttpRequest(request.method, position.link, {}, request.headers, request.body)

        is_answer = partial(says_that_numbers_are_unknown, self.rule, self.read.format)
        return (yield from self._requests.send(build, self.state.to_cursor_text, is_answer))

    def _request_texts(
        self, position: PagePosition, numbers: Sequence[str], secret_index: int = 0
    ) -> RequestTemplateTexts:
        secret = self.secrets[secret_index % len(self.secrets)] if self.secrets else b""
        built_in = {
            "secret": secret.decode("utf-8", "replace"),
            "number": ",".join(numbers),
            **position.texts_for_request_templates(self.rule),
        }
        if self.rule.carrier_codes:
            built_in["carrier"] = self._carrier_codes.get(",".join(numbers), "")
        return RequestTemplateTexts({**self.texts, **built_in}, self.read.reading)

    def _render(self, template: Template, *, record: Scope | None = None) -> str:
        return self._request_texts(PagePosition(self._since_minus_overlap_or_start()), ()).render(
            template, record
        )

    def _change_time_text_of_record(self, scope: Scope) -> str:
        if self.rule.cursor_field is None:
            return ""
        try:
            text = self.rule.cursor_field.evaluate(scope)
        except PayloadError as error:
            raise PollError(str(error)) from None
        # A time far ahead would hide every later change.
        return text if text and parse_poll_time(text) <= self.context.now + MAX_AHEAD else ""

    def _scope(self, document: Node) -> Scope:
        return Scope(document, self.texts, self.read.reading)

    def _read_document(self, response: HttpResponse) -> Node:
        return read_response_document(self.rule.request.kind, response, self.read.format)

    def _record_scopes(self, document: Node) -> list[Scope]:
        scope, records = self._scope(document), self.rule.records
        try:
            if records:
                is_present = records.has_list_even_if_null_or_empty(scope) or document.value == []
                if not is_present and not self.rule.records_optional:
                    raise PollError(f"the response has no {records.pieces[0].text}")
                return records.elements(scope)
            if isinstance(document.value, list):
                return [self._scope(node) for node in document.as_list()]
        except PayloadError as error:
            raise PollError(f"the response is invalid ({error})") from None
        return [scope]

    def _polled_records(self, scopes: Sequence[Scope]) -> tuple[PolledRecord, ...]:
        return tuple(polled_record(self.rule, scope) for scope in scopes)

    def _count_call_unless_limit_reached(self) -> Pages:
        budget = self._calls_per_window, self.state, self.context.now
        return (yield from count_call_unless_limit_reached(self.rule, *budget))
