"""Send authorized requests: renew refused credentials once, and hand over renewed secrets."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from connectors.sdk.request_authorization import BaseAuthorization
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PolledPage,
    PollError,
    poll_error_of_response,
)

# A token request with wrong credentials is answered by one of these (RFC 6749, section 5.2).
REFUSED = (400, 401)


@dataclass(slots=True)
class AuthorizedRequests:
    """Sends the requests of one poll.

    `authorizations` has one element for each valid secret of the source, newest first: during a
    rotation the system may accept only one of them.
    """

    http: HttpClient
    authorizations: Sequence[BaseAuthorization]
    _index: int = field(default=0)

    def send(
        self,
        build: Callable[[int], HttpRequest],
        cursor: Callable[[], str],
        is_answer: Callable[[HttpResponse], bool] = lambda _: False,
    ) -> Generator[PolledPage, None, HttpResponse]:
        """Return the response with a status of 200 to 299, or `is_answer`. Raises PollError.

        `build` gets the index of the secret in use, for requests that contain it themselves.
        Yields a page without rows to store a renewed secret, before the request is sent: the
        system accepts the old one no longer. `cursor()` is the unchanged cursor of that page. Use
        it as `response = yield from requests.send(...)`.
        """
        response = yield from self._yield_renewed_secrets_then_send(build, cursor)
        if response.status == 401:
            self._discard_token_and_use_next_secret()
            response = yield from self._yield_renewed_secrets_then_send(build, cursor)
        if not 200 <= response.status < 300 and not is_answer(response):
            raise poll_error_of_response("the request", response)
        return response

    def send_without_secret_renewal(self, request: HttpRequest) -> HttpResponse:
        """Return the response, as `send` does, for authorizations that renew no secrets."""
        sending = self.send(lambda _: request, str)
        try:
            next(sending)
        except StopIteration as end:
            response: HttpResponse = end.value
            return response
        raise RuntimeError("a renewed secret must be stored: use send()")

    def _yield_renewed_secrets_then_send(
        self, build: Callable[[int], HttpRequest], cursor: Callable[[], str]
    ) -> Generator[PolledPage, None, HttpResponse]:
        self._prepare_or_try_next_authorization()
        if renewed := self._authorization_in_use.take_renewed_secrets():
            yield PolledPage((), cursor(), renewed)
        try:
            return self.http.send(self._authorization_in_use.authorize(build(self._index)))
        except ConnectionError as error:
            raise PollError(f"no response: {error}") from error

    def _prepare_or_try_next_authorization(self) -> None:
        """Prepare the authorization of a secret that the system accepts."""
        for remaining in reversed(range(len(self.authorizations))):
            try:
                self._authorization_in_use.fetch_token_if_missing(self.http)
            except PollError as error:
                if error.status not in REFUSED or not remaining:
                    raise
                self._discard_token_and_use_next_secret()
            else:
                return

    def _discard_token_and_use_next_secret(self) -> None:
        self._authorization_in_use.discard_refused_token()
        self._index += 1

    @property
    def _authorization_in_use(self) -> BaseAuthorization:
        return self.authorizations[self._index % len(self.authorizations)]
