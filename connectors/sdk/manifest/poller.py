"""Poll a system as a manifest declares it: pages, cursor, files, and budget of calls."""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from urllib.parse import urljoin, urlsplit

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.conditional_requests import NOT_MODIFIED, Validators, is_conditional
from connectors.sdk.manifest.build_poll_requests import (
    RequestTemplateTexts,
    build_authorization_per_secret,
    build_request,
    read_response_document,
    settings_in_templates,
)
from connectors.sdk.manifest.definition import ListedFileDownloadRule, PollRule, ReadRule
from connectors.sdk.manifest.open_package_numbers import (
    carrier_code_by_number,
    raise_if_every_request_was_refused,
    says_that_numbers_are_unknown,
)
from connectors.sdk.manifest.page_links import PagePosition
from connectors.sdk.manifest.paths import Scope, Template
from connectors.sdk.manifest.poll_call_budget import (
    calls_per_window,
    count_call_unless_limit_reached,
)
from connectors.sdk.manifest.poll_state import PollState, parse_poll_time, time_text_minus_overlap
from connectors.sdk.manifest.read_polled_rows import PolledRowReader
from connectors.sdk.payload import Node
from connectors.sdk.request_authorization import BaseAuthorization
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollContext,
    PolledPage,
    PolledRecord,
    PollError,
    poll_error_of_response,
)

# Files are stored after so many downloads, so that a slow system does not lose them.
FILES_PER_PAGE = 10
MAX_LISTED_FILES = 20_000
# A file of a listing may be deleted before it is requested; the others are read.
MISSING_FILE = (403, 404, 410)
# What a system sends that has no rows for this request.
NO_RECORDS = Node([], "", [False])
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
    _request: HttpRequest = field(init=False)
    _rows: PolledRowReader = field(init=False)
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
        self._rows = PolledRowReader(rule, self.texts, self.read.reading, now)

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
        statuses: list[int] = []
        for start in range(0, len(queue), size):
            batch = queue[start : start + size]
            response = yield from self._request_page_unless_limit_reached(PagePosition(), batch)
            if response is None:
                break
            statuses.append(response.status)
            is_known = response.status not in self.rule.unknown_number
            records = self._rows.scopes(self._read_document(response)) if is_known else []
            self.state.last_number = batch[-1]
            if batch[-1] == queue[-1] or 0 < self._calls_per_window <= self.state.calls:
                self.state.record_every_package_asked()
            yield PolledPage(tuple(map(self._rows.to_record, records)), self.state.to_cursor_text())
        raise_if_every_request_was_refused(statuses)

    def _changed_pages(self) -> Iterator[PolledPage]:
        """Read every page of what changed since the cursor."""
        newest, previous, is_ordered = self.state.since, "", True
        position = PagePosition(self._since_minus_overlap_or_start())
        visited: set[PagePosition] = set()
        listed: list[str] = []
        while True:
            response = yield from self._request_page_unless_limit_reached(position, ())
            is_unchanged = response is not None and response.status == NOT_MODIFIED
            if response is None or (is_unchanged and not visited):
                return
            document = NO_RECORDS if is_unchanged else self._read_document(response)
            records = self._rows.scopes(document)
            times = [self._rows.change_time_text(scope) for scope in records]
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
            # The version of a first page says nothing about the others, nor of a missing file.
            is_complete = following is None and not visited and self._file_error is None
            self.state.validators = (
                Validators.of_response(self._request, response)
                if self.rule.is_conditional and is_complete
                else Validators()
            )
            yield PolledPage(
                () if self.rule.files else tuple(map(self._rows.to_record, records)),
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
        rule = self.rule
        if not self.state.since and not (rule.cursor_start and rule.cursor_format):
            return rule.cursor_start
        if not self.state.since:
            return time_text_minus_overlap(rule.cursor_start, timedelta(), rule.cursor_format)
        return time_text_minus_overlap(self.state.since, rule.overlap, rule.cursor_format)

    def _next_position(
        self, position: PagePosition, response: HttpResponse, document: Node, times: Sequence[str]
    ) -> PagePosition | None:
        if self.rule.next_page.get("from_newest") == "yes":
            return position.next_position_since_newest_change(self.rule, times)
        url = position.link or self._render(self.rule.request.url)
        following = position.next(self.rule, response, self._rows.scope(document), url, len(times))
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
            key = self._rows.to_record(record).dedupe_key
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
            headers = {**request.headers, **position.headers(self.rule)}
            request = replace(request, headers=headers)
            if position.link:
                request = replace(request, url=position.link, query={})
            self._request = request
            return self.state.validators.add_to(request)

        def is_answer(response: HttpResponse) -> bool:
            return response.status == NOT_MODIFIED or says_that_numbers_are_unknown(
                self.rule, self.read.format, response
            )

        response = yield from self._requests.send(build, self.state.to_cursor_text, is_answer)
        sent = self.state.validators.add_to(self._request)
        if response.status == NOT_MODIFIED and not is_conditional(sent):
            raise poll_error_of_response("the request", response)
        return response

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

    def _read_document(self, response: HttpResponse) -> Node:
        return read_response_document(self.rule.request.kind, response, self.read.format)

    def _count_call_unless_limit_reached(self) -> Pages:
        budget = self._calls_per_window, self.state, self.context.now
        return (yield from count_call_unless_limit_reached(self.rule, *budget))
