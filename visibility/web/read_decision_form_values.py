"""Read the values of the forms that compare and decide about orders."""

from django.http import Http404, HttpRequest

from visibility.db.parse_id_and_time import parse_row_id

MAX_REASON_LENGTH = 2_000


def read_reason(request: HttpRequest) -> str:
    """The reason that the user entered."""
    return request.POST.get("why", "").strip()[:MAX_REASON_LENGTH]


def parse_object_id_or_404(text: str) -> int:
    """Parse an object ID. Raises Http404 if the text is not one."""
    number = parse_row_id_or_zero(text)
    if not number:
        raise Http404
    return number


def parse_row_id_or_zero(text: str) -> int:
    """Parse a database ID; 0 if the text is not one."""
    return parse_row_id(text) or 0
