"""Master data as files: taken in through the background, given out in a stream."""

import hashlib
import tempfile
from collections.abc import Iterator
from typing import IO

from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.clock import database_now
from visibility.master_data import imports
from visibility.master_data.export import TooMany
from visibility.master_data.files import FORMATS, LARGEST
from visibility.master_data.tables import Table
from visibility.master_data.xlsx import BadFile
from visibility.models import ImportRow, ImportState, MasterImport
from visibility.pipeline import stages
from visibility.web.api.base import Call, person
from visibility.web.api.idempotency import once
from visibility.web.api.master_data import Edits, answered, known
from visibility.web.api.problems import Answer, Conflict, Invalid, TooLarge, Unprocessable
from visibility.web.api.query_params import Parameter, asked, documented
from visibility.web.api.requests import BIGGEST_ID, Nothing, UnsupportedMedia, raw, read
from visibility.web.api.serializers import Moment, Shape, Word, write, write_all
from visibility.web.permissions import Right
from visibility.web.table_downloads import MEDIA, exported

FORMAT = Parameter("format", "CSV unless given.", choices=FORMATS)
DRY_RUN = Parameter("dry_run", "Only judge the file; write nothing.", choices=("true", "false"))
NAME = Parameter("name", "What the file is called.")
PROBLEMS = 100
PIECE = 65_536


class ProblemRowShape(Shape):
    """A row that can't be taken."""

    row = serializers.IntegerField(source="number")
    reason = serializers.CharField()


class ImportShape(Shape):
    """A file and how far it has come; `problems` are the first hundred."""

    id = serializers.CharField(source="pk")
    table = serializers.CharField()
    name = serializers.CharField()
    state = Word(ImportState)
    detail = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    invalid = serializers.IntegerField()
    created_at = Moment()
    finished_at = Moment(allow_null=True)


class ImportedShape(ImportShape):
    """With the rows that can't be taken."""

    problems = ProblemRowShape(many=True)


class Import(Edits):
    """`POST /master/<table>/import`."""

    http_method_names = ["post"]

    @extend_schema(
        operation_id="master_import",
        parameters=documented((FORMAT, DRY_RUN, NAME)),
        request={media.split(";")[0]: OpenApiTypes.BINARY for media in MEDIA.values()},
        responses={202: ImportShape},
    )
    def post(self, request: Request, table: str) -> HttpResponse:
        """Keep a file; it is read, judged and written in the background, all rows or none."""
        given = asked(request, (FORMAT, DRY_RUN, NAME))
        found = known(table)
        media = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if media not in {
            "",
            "application/octet-stream",
            *(m.split(";")[0] for m in MEDIA.values()),
        }:
            raise UnsupportedMedia("Content-Type", "send text/csv or an XLSX")
        form = given.get("format") or ("xlsx" if media.endswith(".sheet") else "csv")
        with tempfile.TemporaryFile() as file:
            digest = _spooled(request, file, most=LARGEST[form])

            def do() -> Answer:
                kept = _kept(request, found, file, form=form, given=given)
                return Answer.of(write(ImportShape, kept), status=202)

            answer = once(request, digest, do)
        stages.nudge("master")
        return answer


class OneImport(Call):
    """`GET /master/imports/<id>`."""

    rights = (Right.MAPPINGS_SEE,)

    @extend_schema(operation_id="master_import_state", responses=ImportedShape)
    def get(self, request: Request, import_id: int) -> Response:
        """How far a file has come, what it would do or did, which rows can't be taken."""
        asked(request, ())
        found = _import(import_id)
        bad = ImportRow.objects.filter(of=found, verdict="invalid").order_by("number")
        problems = write_all(ProblemRowShape, bad[:PROBLEMS])
        return Response(write(ImportShape, found) | {"problems": problems})


class Apply(Edits):
    """`POST /master/imports/<id>/apply`."""

    http_method_names = ["post"]

    @extend_schema(
        operation_id="master_import_apply", request=Nothing, responses={202: ImportShape}
    )
    def post(self, request: Request, import_id: int) -> HttpResponse:
        """Write a file that was judged and has no row that can't be taken."""
        asked(request, ())
        body = raw(request)

        def do() -> Answer:
            read(Nothing, body)
            found = _import(import_id)
            if not imports.confirm(found.pk, who=person(request), now=database_now()):
                raise Conflict("It does not wait for a yes.")
            return Answer.of(write(ImportShape, _import(import_id)), status=202)

        answer = once(request, body, do)
        stages.nudge("master")
        return answer


class Discard(Edits):
    """`POST /master/imports/<id>/discard`."""

    http_method_names = ["post"]

    @extend_schema(operation_id="master_import_discard", request=Nothing, responses=ImportShape)
    def post(self, request: Request, import_id: int) -> HttpResponse:
        """Forget a file that was judged or refused."""
        asked(request, ())
        body = raw(request)

        def do() -> Answer:
            read(Nothing, body)
            if not imports.discard(_import(import_id).pk):
                raise Conflict("It can't be discarded any more, or not yet.")
            return Answer.of(write(ImportShape, _import(import_id)))

        return once(request, body, do)


class Export(Call):
    """`GET /master/<table>/export`."""

    rights = (Right.MAPPINGS_SEE,)

    @extend_schema(
        operation_id="master_export",
        parameters=documented((FORMAT,)),
        responses={(200, MEDIA[form]): OpenApiTypes.BINARY for form in FORMATS},
    )
    def get(self, request: Request, table: str) -> HttpResponseBase:
        """A whole table as a file that can be taken in again. Texts stay texts."""
        form = asked(request, (FORMAT,)).get("format", "csv")
        try:
            return answered(exported(request._request, known(table), form))
        except TooMany as error:
            raise Unprocessable(str(error)) from error


def _spooled(request: Request, file: IO[bytes], *, most: int) -> bytes:
    """Put the body beside, as it may be large; its digest stands for it. Raises TooLarge."""
    digest, size = hashlib.sha256(), 0
    while piece := request._request.read(PIECE):
        size += len(piece)
        if size > most:
            raise TooLarge(f"at most {most} bytes")
        digest.update(piece)
        file.write(piece)
    file.seek(0)
    return digest.digest()


def _kept(
    request: Request, table: Table, file: IO[bytes], *, form: str, given: dict[str, str]
) -> MasterImport:
    try:
        return imports.keep(
            table,
            _pieces(file),
            name=given.get("name", f"{table.code}.{form}"),
            format=form,
            apply=given.get("dry_run") != "true",
            who=person(request),
            now=database_now(),
        )
    except BadFile as error:
        raise Invalid("", str(error)) from error


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _import(import_id: int) -> MasterImport:
    found = MasterImport.objects.filter(pk=min(import_id, BIGGEST_ID)).first()
    if found is None:
        raise Http404
    if found.state == ImportState.WRITING:
        found.done = imports.written_rows(found)
    return found
