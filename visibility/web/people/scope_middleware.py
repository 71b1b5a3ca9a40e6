"""Limit each request of a person with a scope to the orders in it."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator

from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from visibility.db.data_scope import DataScope, active_scope, limited_to
from visibility.web.database_unavailable import unavailable_response
from visibility.web.people.second_factor_middleware import uses_session
from visibility.web.permissions import data_scope


class LimitToScopeMiddleware:
    """Applies the scope of the signed-in person. An API token applies that of its owner later."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        scope = None
        if uses_session(request):
            try:
                user = request.user
                scope = data_scope(user) if isinstance(user, User) else None
            except (OperationalError, InterfaceError) as error:
                return unavailable_response(request, error)
        with limited_to(scope):
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse) and (scope := active_scope()):
                _limit_each_chunk(response, scope)
            return response


def _limit_each_chunk(response: StreamingHttpResponse, scope: DataScope) -> None:
    """The server asks for the chunks after the middleware has returned."""
    chunks = response.streaming_content
    if isinstance(chunks, AsyncIterable):
        response.streaming_content = _limited_async(chunks, scope)
    else:
        response.streaming_content = _limited(chunks, scope)


def _limited(chunks: Iterable[bytes], scope: DataScope) -> Iterator[bytes]:
    iterator = iter(chunks)
    while True:
        with limited_to(scope):
            chunk = next(iterator, None)
        if chunk is None:
            return
        yield chunk


async def _limited_async(
    chunks: AsyncIterable[bytes], scope: DataScope
) -> AsyncGenerator[bytes, None]:
    iterator = aiter(chunks)
    while True:
        with limited_to(scope):
            chunk = await anext(iterator, None)
        if chunk is None:
            return
        yield chunk
