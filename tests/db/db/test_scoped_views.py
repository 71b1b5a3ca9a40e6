"""The views that a person with a scope reads instead of the tables."""

import pytest
from django.apps import apps
from django.db import DataError, NotSupportedError, ProgrammingError, connection, transaction
from django.db.migrations import Migration
from django.db.models.signals import post_migrate, pre_migrate

from tests.builders.alerts import order
from visibility.db.data_scope import DataScope, limited_to
from visibility.db.scoped_views import create_views, unassigned_tables
from visibility.models import Order

pytestmark = pytest.mark.django_db
SCOPE = DataScope(1, channels=("b2b",))


def emit(signal: object, plan: list[object]) -> None:
    assert signal in (pre_migrate, post_migrate)
    config = apps.get_app_config("visibility")
    signal.send(
        sender=config,
        app_config=config,
        verbosity=0,
        interactive=False,
        using="default",
        plan=plan,
        apps=apps,
    )


def test_every_table_has_a_view() -> None:
    with connection.cursor() as cursor:
        assert unassigned_tables(cursor) == []
        cursor.execute("CREATE TABLE visibility_later (id int)")
        assert unassigned_tables(cursor) == ["visibility_later"]


def test_a_table_without_a_view_does_not_exist_with_a_scope() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE visibility_later (id int)")
        create_views(cursor)
        cursor.execute("SELECT FROM visibility_later")
    with pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
        read_with_scope("SELECT FROM visibility_later")


def read_with_scope(statement: str) -> None:
    with limited_to(SCOPE), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_savepoint_is_rolled_back_after_an_error_of_the_database() -> None:
    order("SO-1", channel="b2b")
    order("SO-2", channel="web")
    # The error ends the block of the scope before the savepoint is rolled back, and after it.
    with pytest.raises(DataError), transaction.atomic():
        read_with_scope("SELECT 1 / 0")
    with limited_to(SCOPE):
        with pytest.raises(DataError), transaction.atomic():
            read_with_scope("SELECT 1 / 0")
        assert Order.objects.count() == 1
    assert Order.objects.count() == 2


def alter_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE visibility_order ALTER COLUMN channel TYPE text")


def test_migrations_change_tables_that_have_a_view() -> None:
    order("SO-1", channel="b2b")
    order("SO-2", channel="web")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(NotSupportedError, match="used by a view"), transaction.atomic():
        alter_table()
    emit(pre_migrate, [])
    with limited_to(SCOPE):
        assert Order.objects.count() == 1
    emit(pre_migrate, [(Migration("0060_later", "visibility"), False)])
    alter_table()
    # Until the views are created, statements fail and show nothing.
    with pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
        read_with_scope("SELECT FROM visibility_order")
    emit(post_migrate, [])
    with limited_to(SCOPE):
        assert Order.objects.count() == 1


def test_unchanged_views_are_not_created_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_namespace WHERE nspname = 'visibility_scoped'")
        before = cursor.fetchone()
        create_views(cursor)
        cursor.execute("SELECT oid FROM pg_namespace WHERE nspname = 'visibility_scoped'")
        assert cursor.fetchone() == before
