"""What every call has in common: who is asking, whether they may, and what is said if not."""

from collections.abc import Iterable
from typing import Any, NoReturn

from django.contrib.auth.models import User
from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from visibility.db.clock import database_now
from visibility.models.audit import record
from visibility.web.permissions import Right, Role, may, roles


class Session(SessionAuthentication):
    """The session of the pages; writes need its CSRF token in `X-CSRFToken`."""

    def authenticate_header(self, request: Request) -> str:
        """With it, an unknown caller is told 401 rather than 403."""
        return 'Session realm="throughline"'


class Always(BaseContentNegotiation):
    """JSON, whatever the request says it would like: there is nothing else."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        """The only one."""
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The only one."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class Entitled(BasePermission):
    """Signed in, with each of the rights of the call."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Asked before anything else of the call happens."""
        rights = view.rights if isinstance(view, Call) else ()
        return bool(request.user.is_authenticated) and all(may(request.user, r) for r in rights)


class Call(APIView):
    """One call. `rights`: what the person must have."""

    rights: tuple[Right, ...] = ()
    authentication_classes = [Session]
    permission_classes = [Entitled]
    content_negotiation_class = Always
    metadata_class = None
    http_method_names = ["get", "head", "post"]

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        """Refuse, and write down who asked for what."""
        if request.user.is_authenticated:
            record(
                "denied",
                who=person(request),
                object=request.path[:200],
                detail={"method": request.method, "rights": [r.value for r in self.rights]},
                now=database_now(),
            )
        super().permission_denied(request, message="You do not have the right to do this.")
        raise AssertionError  # pragma: no cover  # the line above raises


def person(request: Request) -> User:
    """Who is asking."""
    assert isinstance(request.user, User)
    return request.user


def allowed(request: Request) -> frozenset[Right]:
    """Every right of the person: what is shown depends on some of them."""
    return frozenset(right for right in Right if may(request.user, right))


def sources_only(request: Request) -> bool:
    """Integrators see the alerts of sources and find orders by number."""
    return roles(request.user) == {Role.INTEGRATOR}
