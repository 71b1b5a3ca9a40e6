"""Master data: the rows of its tables, apart from everything that speaks of orders."""

from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.clock import database_now
from visibility.master_data import store
from visibility.master_data.cells import BadCell
from visibility.master_data.store import Author, Overlap, Stale
from visibility.master_data.tables import TABLES, Row, Table
from visibility.models.master import Dated, WordTable
from visibility.screens.mappings import queries, suggestions
from visibility.web.api.base import Call, person
from visibility.web.api.idempotency import once
from visibility.web.api.pagination import PAGING, Pages, paged
from visibility.web.api.problems import Answer, Conflict, Invalid
from visibility.web.api.query_params import Parameter, asked, chosen, documented, text_of
from visibility.web.api.requests import BIGGEST_ID, Body, Nothing, raw, read
from visibility.web.api.serializers import Moment, Shape, write, write_all
from visibility.web.permissions import Right

LIST = (
    Parameter("q", "Part of a number, a word or a title."),
    chosen("kind", "Of `mapping`: the words of this kind.", WordTable),
    Parameter("source", "Of `mapping`: the words of this source."),
    *PAGING,
)
UNMAPPED = (chosen("kind", "Words of this kind.", WordTable),)
MOST = 200


class ColumnShape(Shape):
    """A column of a table."""

    name = serializers.CharField()
    title = serializers.CharField()
    needed = serializers.BooleanField(source="required")
    about = serializers.CharField()


class TableShape(Shape):
    """A table of master data."""

    code = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    columns = ColumnShape(many=True)


class TablesShape(Shape):
    """Every table."""

    items = TableShape(many=True)


class RowShape(Shape):
    """A row: `values` by column as texts, as they stand in files."""

    id = serializers.CharField(source="pk")
    version = serializers.IntegerField()
    changed_at = Moment()
    changed_by = serializers.SerializerMethodField()
    values = serializers.SerializerMethodField()

    def get_changed_by(self, row: Dated) -> str | None:
        """Who wrote it last; null: the command line."""
        return row.changed_by.get_username() if row.changed_by else None

    def get_values(self, row: Dated) -> dict[str, str]:
        """By column."""
        return table_of(row).cells(row)


class ChangeShape(Shape):
    """One change of a row; `before` and `after` by column."""

    id = serializers.CharField(source="pk")
    version = serializers.IntegerField()
    what = serializers.CharField()
    at = Moment()
    who = serializers.CharField(source="who.username", default=None, allow_null=True)
    via = serializers.CharField()
    before = serializers.DictField(child=serializers.CharField(), allow_null=True)
    after = serializers.DictField(child=serializers.CharField(), allow_null=True)


class OneRowShape(RowShape):
    """A row with its history, the newest first."""

    history = ChangeShape(many=True)


class WrittenShape(Shape):
    """What a write did."""

    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class SuggestionShape(Shape):
    """What a word could mean; `certainty` of 100."""

    ours = serializers.CharField()
    title = serializers.CharField()
    certainty = serializers.IntegerField()
    why = serializers.CharField()


class UnmappedShape(Shape):
    """A word nobody has mapped."""

    kind = serializers.CharField(source="table")
    source = serializers.CharField()  # type: ignore[assignment]  # DRF's own word, taken away
    word = serializers.CharField(source="raw")
    about = serializers.CharField()
    first_at = Moment()
    last_at = Moment()
    orders = serializers.IntegerField()
    example = serializers.CharField(help_text="The id of an order that is hurt.")


class SuggestedShape(UnmappedShape):
    """With up to three suggestions."""

    suggestions = SuggestionShape(many=True)


class SuggestedListShape(Shape):
    """Those that hurt most orders first, 200 at most."""

    items = SuggestedShape(many=True)


class RowBody(Body):
    """The values of a row, by column, as texts; what is left out is empty."""

    values = serializers.DictField(child=serializers.CharField(allow_blank=True))
    version = serializers.IntegerField(
        required=False, help_text="Of PUT: refuse if the row has another version by now."
    )


class Tables(Call):
    """`GET /master`."""

    rights = (Right.MAPPINGS_SEE,)

    @extend_schema(operation_id="master_tables", responses=TablesShape)
    def get(self, request: Request) -> Response:
        """The tables of master data and their columns."""
        asked(request, ())
        return Response({"items": write_all(TableShape, TABLES.values())})


class Unmapped(Call):
    """`GET /master/unmapped`."""

    rights = (Right.MAPPINGS_SEE,)

    @extend_schema(
        operation_id="master_unmapped",
        parameters=documented(UNMAPPED),
        responses=SuggestedListShape,
    )
    def get(self, request: Request) -> Response:
        """Words of governed sources that nobody has mapped, by the orders they hurt."""
        found = queries.unmapped(asked(request, UNMAPPED).get("kind", ""), most=MOST)
        items = [
            write(UnmappedShape, word) | {"suggestions": write_all(SuggestionShape, some)}
            for word, some in zip(found, suggestions.suggested(found), strict=True)
        ]
        return Response({"items": items})


class Edits(Call):
    """A call whose reading needs one right and whose writing another."""

    http_method_names = ["get", "head", "post", "put", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Before anything else happens."""
        reading = request.method in {"GET", "HEAD"}
        self.rights = (Right.MAPPINGS_SEE if reading else Right.MAPPINGS_EDIT,)
        super().initial(request, *args, **kwargs)


class Rows(Edits):
    """`/master/<table>`."""

    @extend_schema(
        operation_id="master_rows",
        parameters=documented(LIST),
        responses=paged("MasterRows", RowShape(many=True)),
    )
    def get(self, request: Request, table: str) -> Response:
        """Rows of a table in the order in which they were made."""
        given = asked(request, LIST)
        found = known(table)
        filters = {
            field: given[name]
            for name, field in (("kind", "table"), ("source", "source"))
            if name in given
        }
        if filters and found.code != "mapping":
            raise Invalid(next(iter(given)), "only `mapping` has this filter")
        pages = Pages(f"master {table}", given)
        rows = queries.listed(
            found,
            q=given.get("q", ""),
            after=int(pages.place[0]) if pages.place else 0,
            most=pages.size,
            filters=filters,
        )
        shown = rows[: pages.size]
        following = pages.after(shown[-1].pk) if len(rows) > pages.size else None
        return Response(pages.page(write_all(RowShape, shown), following))

    @extend_schema(
        operation_id="master_add",
        request=RowBody,
        responses={200: WrittenShape, 201: WrittenShape},
    )
    def post(self, request: Request, table: str) -> HttpResponse:
        """Add a row, or change the one of this name that begins at the same moment."""
        asked(request, ())
        found = known(table)
        body = raw(request)

        def do() -> Answer:
            row, _ = given_row(found, body)
            try:
                done = store.write(found, [row], by=author(request))
            except Overlap as error:
                raise Conflict(str(error)) from error
            except BadCell as error:
                raise Invalid("values", str(error)) from error
            return Answer.of(write(WrittenShape, done), status=201 if done.added else 200)

        return once(request, body, do)


class OneRow(Edits):
    """`/master/<table>/<id>`."""

    @extend_schema(operation_id="master_row", responses=OneRowShape)
    def get(self, request: Request, table: str, row_id: int) -> Response:
        """One row and its history."""
        asked(request, ())
        found = known(table)
        row = _row(found, row_id)
        history = [
            {
                **write(ChangeShape, change),
                "before": found.cells(change.before) if change.before else None,
                "after": found.cells(change.after) if change.after else None,
            }
            for change in queries.history(found, row.pk)
        ]
        return Response(write(RowShape, row) | {"history": history})

    @extend_schema(operation_id="master_change", request=RowBody, responses=WrittenShape)
    def put(self, request: Request, table: str, row_id: int) -> HttpResponse:
        """Change a row; its name and its time may change too. 409 where another holds then."""
        asked(request, ())
        found = known(table)
        body = raw(request)

        def do() -> Answer:
            row, version = given_row(found, body)
            held = _row(found, row_id)
            try:
                done = store.replace(found, held.pk, row, version=version, by=author(request))
            except (Overlap, Stale) as error:
                raise Conflict(str(error)) from error
            except BadCell as error:
                raise Invalid("values", str(error)) from error
            return Answer.of(write(WrittenShape, done))

        return once(request, body, do)

    @extend_schema(operation_id="master_remove", request=Nothing, responses={200: WrittenShape})
    def delete(self, request: Request, table: str, row_id: int) -> HttpResponse:
        """Take a row away; its history stays."""
        asked(request, ())
        found = known(table)
        body = raw(request)

        def do() -> Answer:
            read(Nothing, body)
            held = _row(found, row_id)
            store.remove(found, held.pk, by=author(request))
            return Answer.of({"added": 0, "changed": 1, "unchanged": 0})

        return once(request, body, do)


def known(code: str) -> Table:
    """The table of that code. Raises Http404."""
    if code not in TABLES:
        raise Http404
    return TABLES[code]


def table_of(row: Dated) -> Table:
    """The table a row is of."""
    return next(table for table in TABLES.values() if isinstance(row, table.model))


def author(request: Request) -> Author:
    """Who writes through the API."""
    return Author(person(request), "API", database_now())


def given_row(table: Table, body: bytes) -> tuple[Row, int | None]:
    """The row of a body, and the version it takes the place of. Raises Invalid."""
    fields = read(RowBody, body)
    values: dict[str, str] = fields["values"]
    names = {column.name for column in table.columns}
    for name in values:
        if name not in names:
            wrong = f"no such column; there are: {', '.join(sorted(names))}"
            raise Invalid(f"values.{text_of(name)}", wrong)
    try:
        return table.read(values), fields.get("version")
    except BadCell as error:
        raise Invalid("values", str(error)) from error


def _row(table: Table, row_id: int) -> Dated:
    found = None
    if row_id <= BIGGEST_ID:
        rows = table.model._base_manager.select_related("changed_by")
        found = rows.filter(pk=row_id).first()
    if found is None:
        raise Http404
    return found


def answered(answer: HttpResponseBase) -> HttpResponseBase:
    """An answer that is no JSON, and that no cache keeps."""
    answer["Cache-Control"] = "no-store"
    return answer
