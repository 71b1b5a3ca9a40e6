"""Master data: what other systems' words mean here. Kept apart from transactions, dated, owned."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Deferrable, F, Func, Q

from visibility.models.objects import BusinessObject

# Joins the parts of a key; no cell may contain it.
JOINT = "\x1f"


def same(word: str) -> str:
    """Words that differ in case or blanks alone are one word."""
    return " ".join(word.split()).upper()


class Period(Func):
    """[valid_from, valid_to), open where null."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class Dated(models.Model):
    """A row that holds for a time. At any moment at most one row of a key does, by constraint.

    `key` is made of the columns that name the row (`tables.py`), so that one statement serves all
    tables. The check of the constraint waits for the end of a write: rows may change places in it.
    """

    key = models.CharField(max_length=1_600)
    valid_from = models.DateTimeField(null=True)
    valid_to = models.DateTimeField(null=True)
    owner = models.CharField(max_length=80, default="", blank=True)
    note = models.CharField(max_length=500, default="", blank=True)
    version = models.IntegerField(default=1)
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
    )

    class Meta:
        abstract = True
        indexes: ClassVar = [models.Index(fields=["key"], name="%(class)s_key")]
        constraints: ClassVar = [
            ExclusionConstraint(
                name="%(class)s_one_at_a_time",
                expressions=[
                    ("key", RangeOperators.EQUAL),
                    (Period("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
                deferrable=Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                name="%(class)s_begins_before_it_ends",
                condition=Q(valid_from__isnull=True)
                | Q(valid_to__isnull=True)
                | Q(valid_from__lt=F("valid_to")),
            ),
        ]


class Item(Dated):
    """An article: its number, its base unit, what a kit is made of (`{"A-1": "2", "B": "1/2"}`)."""

    number = models.CharField(max_length=250)
    title = models.CharField(max_length=300, default="", blank=True)
    unit = models.CharField(max_length=20, default="EA")
    ean = models.CharField(max_length=20, default="", blank=True)
    item_class = models.CharField(max_length=60, default="", blank=True)
    components = models.JSONField(default=dict, blank=True)

    class Meta(Dated.Meta):
        abstract = False
        indexes: ClassVar = [
            *Dated.Meta.indexes,
            GinIndex(fields=["key"], opclasses=["gin_trgm_ops"], name="item_key_trgm"),
            GinIndex(fields=["title"], opclasses=["gin_trgm_ops"], name="item_title_trgm"),
            models.Index(fields=["ean"], condition=~Q(ean=""), name="item_ean"),
        ]


class UnitFactor(Dated):
    """One `unit` is exactly numerator/denominator of `base`; for one item, or for all where ""."""

    item = models.CharField(max_length=250, default="", blank=True)
    item_key = models.CharField(max_length=1_600, default="", blank=True)
    unit = models.CharField(max_length=20)
    base = models.CharField(max_length=20)
    numerator = models.BigIntegerField()
    denominator = models.BigIntegerField(default=1)

    class Meta(Dated.Meta):
        abstract = False
        indexes: ClassVar = [
            *Dated.Meta.indexes,
            models.Index(fields=["item_key", "unit"], name="unit_factor_item"),
            models.Index(fields=["unit"], name="unit_factor_unit"),
            models.Index(fields=["base"], name="unit_factor_base"),
        ]
        constraints: ClassVar = [
            *Dated.Meta.constraints,
            models.CheckConstraint(
                name="unit_factor_is_a_positive_ratio",
                condition=Q(numerator__gt=0, denominator__gt=0),
            ),
        ]


class Location(Dated):
    """A place of ours: a warehouse, a branch, a 3PL's site."""

    code = models.CharField(max_length=100)
    title = models.CharField(max_length=200, default="", blank=True)
    zone = models.CharField(max_length=60, default="UTC")
    calendar = models.CharField(max_length=50, default="", blank=True)

    class Meta(Dated.Meta):
        abstract = False


class Customer(Dated):
    """A customer, in one or more roles, below a parent for the time of this row."""

    number = models.CharField(max_length=100)
    name = models.CharField(max_length=250, default="", blank=True)
    group = models.CharField(max_length=100, default="", blank=True)
    parent = models.CharField(max_length=100, default="", blank=True)
    parent_key = models.CharField(max_length=1_600, default="", blank=True)
    roles = ArrayField(models.CharField(max_length=10), default=list)

    class Meta(Dated.Meta):
        abstract = False
        indexes: ClassVar = [
            *Dated.Meta.indexes,
            models.Index(
                fields=["parent_key"], condition=~Q(parent_key=""), name="customer_parent"
            ),
            GinIndex(fields=["key"], opclasses=["gin_trgm_ops"], name="customer_key_trgm"),
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="customer_name_trgm"),
        ]


class TaxJurisdiction(Dated):
    """Where a ship-to is taxed."""

    ship_to = models.CharField(max_length=100)
    jurisdiction = models.CharField(max_length=100)
    title = models.CharField(max_length=200, default="", blank=True)

    class Meta(Dated.Meta):
        abstract = False


class WordTable(models.TextChoices):
    """What kinds of words are mapped."""

    ITEM = "item"
    UNIT = "unit"
    LOCATION = "location"
    CUSTOMER = "customer"
    STATUS = "status"


class WordMapping(Dated):
    """A source's word and ours; source "" is every source that has no mapping of its own."""

    table = models.CharField(max_length=10, choices=WordTable.choices)
    source = models.CharField(max_length=60, default="", blank=True)
    theirs = models.CharField(max_length=250)
    # same(theirs)
    word = models.CharField(max_length=1_600)
    ours = models.CharField(max_length=250)

    class Meta(Dated.Meta):
        abstract = False
        indexes: ClassVar = [
            *Dated.Meta.indexes,
            models.Index(fields=["word"], name="word_mapping_word"),
        ]


class NeverMap(models.Model):
    """Somebody decided that a word shall stay unknown: its lines stay aside, it is not listed."""

    table = models.CharField(max_length=10, choices=WordTable.choices)
    source = models.CharField(max_length=60)
    word = models.CharField(max_length=250)
    why = models.CharField(max_length=500, default="", blank=True)
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["table", "source", "word"], name="never_map_once")
        ]


class Watch(models.Model):
    """Words of this kind and source are looked up; source "" is all of them.

    Made by the first master row that such words could mean. `read` is false until the orders that
    were folded before have been marked to be folded again.
    """

    table = models.CharField(max_length=10, choices=WordTable.choices)
    source = models.CharField(max_length=60, default="", blank=True)
    read = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["table", "source"], name="watch_once")
        ]


class WordUse(models.Model):
    """An order was told of with this word. Derived; only for words that are looked up.

    The unmapped list is those with `unmapped`; the effect of a change is read here too.
    """

    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    table = models.CharField(max_length=10, choices=WordTable.choices)
    source = models.CharField(max_length=60)
    word = models.CharField(max_length=250)
    # As the source wrote it, and what it said beside it: an article's description, a name.
    raw = models.CharField(max_length=250)
    about = models.CharField(max_length=300, default="", blank=True)
    # same() of what it meant; "" where it was not known.
    ours = models.CharField(max_length=250, default="", blank=True)
    unmapped = models.BooleanField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    messages = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "table", "source", "word", "ours", "unmapped"],
                name="word_use_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["table", "word", "source"], name="word_use_word"),
            models.Index(fields=["table", "ours"], name="word_use_ours"),
            models.Index(
                fields=["table", "source", "word"],
                condition=Q(unmapped=True),
                name="word_use_unmapped",
            ),
        ]


class Reread(models.Model):
    """An order waits to be folded again because a meaning changed; fed slowly, behind live work."""

    object = models.ForeignKey(
        BusinessObject, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )


class MasterChange(models.Model):
    """Every change of a master row: who, when, before, after. Append-only."""

    table = models.CharField(max_length=10)
    row = models.BigIntegerField()
    version = models.IntegerField()
    what = models.CharField(max_length=10)
    at = models.DateTimeField()
    who = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
    )
    via = models.CharField(max_length=60)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["table", "row"], name="master_change_row")]
