"""Master data: canonical items, units, locations and customers, and mappings of external terms."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Deferrable, F, Func, Q

from visibility.models.objects_and_identifiers import BusinessObject

# Separates the columns in a key; no cell may contain it.
KEY_SEPARATOR = "\x1f"


def normalize_term(text: str) -> str:
    """Upper case with single spaces: terms that differ only in case or spacing are equal."""
    return " ".join(text.split()).upper()


class ValidityRange(Func):
    """[valid_from, valid_to), open where null."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class Versioned(models.Model):
    """A row with a validity period. A constraint allows one valid row per key at any time.

    `key` is built from the key columns of the table (`tables.py`), so that one statement serves
    every table. The constraint is deferred: a transaction may move periods between rows.
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
                name="%(class)s_no_overlap",
                expressions=[
                    ("key", RangeOperators.EQUAL),
                    (ValidityRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
                deferrable=Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                name="%(class)s_valid_period",
                condition=Q(valid_from__isnull=True)
                | Q(valid_to__isnull=True)
                | Q(valid_from__lt=F("valid_to")),
            ),
        ]


class Item(Versioned):
    """An item: its number, its base unit, the components of a kit (`{"A-1": "2", "B": "1/2"}`)."""

    number = models.CharField(max_length=250)
    title = models.CharField(max_length=300, default="", blank=True)
    unit = models.CharField(max_length=20, default="EA")
    ean = models.CharField(max_length=20, default="", blank=True)
    item_class = models.CharField(max_length=60, default="", blank=True)
    components = models.JSONField(default=dict, blank=True)

    class Meta(Versioned.Meta):
        abstract = False
        indexes: ClassVar = [
            *Versioned.Meta.indexes,
            GinIndex(fields=["key"], opclasses=["gin_trgm_ops"], name="item_key_trgm"),
            GinIndex(fields=["title"], opclasses=["gin_trgm_ops"], name="item_title_trgm"),
            models.Index(fields=["ean"], condition=~Q(ean=""), name="item_ean"),
        ]


class UnitFactor(Versioned):
    """One `unit` is exactly numerator/denominator of `base`. An empty `item` means every item."""

    item = models.CharField(max_length=250, default="", blank=True)
    item_key = models.CharField(max_length=1_600, default="", blank=True)
    unit = models.CharField(max_length=20)
    base = models.CharField(max_length=20)
    numerator = models.BigIntegerField()
    denominator = models.BigIntegerField(default=1)

    class Meta(Versioned.Meta):
        abstract = False
        indexes: ClassVar = [
            *Versioned.Meta.indexes,
            models.Index(fields=["item_key", "unit"], name="unit_factor_item"),
            models.Index(fields=["unit"], name="unit_factor_unit"),
            models.Index(fields=["base"], name="unit_factor_base"),
        ]
        constraints: ClassVar = [
            *Versioned.Meta.constraints,
            models.CheckConstraint(
                name="unit_factor_is_a_positive_ratio",
                condition=Q(numerator__gt=0, denominator__gt=0),
            ),
        ]


class Location(Versioned):
    """A location: a warehouse, a branch, a site of a 3PL."""

    code = models.CharField(max_length=100)
    title = models.CharField(max_length=200, default="", blank=True)
    zone = models.CharField(max_length=60, default="UTC")
    calendar = models.CharField(max_length=50, default="", blank=True)

    class Meta(Versioned.Meta):
        abstract = False


class Customer(Versioned):
    """A customer with its roles and its parent customer."""

    number = models.CharField(max_length=100)
    name = models.CharField(max_length=250, default="", blank=True)
    group = models.CharField(max_length=100, default="", blank=True)
    parent = models.CharField(max_length=100, default="", blank=True)
    parent_key = models.CharField(max_length=1_600, default="", blank=True)
    roles = ArrayField(models.CharField(max_length=10), default=list)

    class Meta(Versioned.Meta):
        abstract = False
        indexes: ClassVar = [
            *Versioned.Meta.indexes,
            models.Index(
                fields=["parent_key"], condition=~Q(parent_key=""), name="customer_parent"
            ),
            GinIndex(fields=["key"], opclasses=["gin_trgm_ops"], name="customer_key_trgm"),
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="customer_name_trgm"),
        ]


class TaxJurisdiction(Versioned):
    """The tax jurisdiction of a ship-to address."""

    ship_to = models.CharField(max_length=100)
    jurisdiction = models.CharField(max_length=100)
    title = models.CharField(max_length=200, default="", blank=True)

    class Meta(Versioned.Meta):
        abstract = False


class TermKind(models.TextChoices):
    """The kinds of external terms that are mapped."""

    ITEM = "item"
    UNIT = "unit"
    LOCATION = "location"
    CUSTOMER = "customer"
    STATUS = "status"


class TermMapping(Versioned):
    """Maps an external term to a canonical one.

    An empty `source` applies to every source without a mapping of its own.
    """

    kind = models.CharField(max_length=10, choices=TermKind.choices)
    source = models.CharField(max_length=60, default="", blank=True)
    external = models.CharField(max_length=250)
    # normalize_term(external)
    term = models.CharField(max_length=1_600)
    canonical = models.CharField(max_length=250)

    class Meta(Versioned.Meta):
        abstract = False
        indexes: ClassVar = [
            *Versioned.Meta.indexes,
            models.Index(fields=["term"], name="term_mapping_term"),
        ]


class IgnoredTerm(models.Model):
    """A term that a person decided not to map: it is no longer listed as unmapped."""

    kind = models.CharField(max_length=10, choices=TermKind.choices)
    source = models.CharField(max_length=60)
    term = models.CharField(max_length=250)
    reason = models.CharField(max_length=500, default="", blank=True)
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "source", "term"], name="ignored_term_unique")
        ]


class WatchedVocabulary(models.Model):
    """Terms of this kind and source are looked up in master data. An empty `source` means all.

    Created with the first master row that such terms could refer to. `backfilled` is false until
    the orders that were folded earlier are requested to be refolded.
    """

    kind = models.CharField(max_length=10, choices=TermKind.choices)
    source = models.CharField(max_length=60, default="", blank=True)
    backfilled = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "source"], name="watched_vocabulary_unique")
        ]


class TermUsage(models.Model):
    """An order uses this external term. Derived; only for watched vocabularies.

    The list of unmapped terms and the preview of a mapping change read this table.
    """

    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    kind = models.CharField(max_length=10, choices=TermKind.choices)
    source = models.CharField(max_length=60)
    term = models.CharField(max_length=250)
    # The original spelling, and the text beside it: an item description, a customer name.
    raw = models.CharField(max_length=250)
    description = models.CharField(max_length=300, default="", blank=True)
    # normalize_term() of the canonical term; empty while unmapped.
    canonical = models.CharField(max_length=250, default="", blank=True)
    unmapped = models.BooleanField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    messages = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "kind", "source", "term", "canonical", "unmapped"],
                name="term_usage_unique",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "term", "source"], name="term_usage_term"),
            models.Index(fields=["kind", "canonical"], name="term_usage_canonical"),
            models.Index(
                fields=["kind", "source", "term"],
                condition=Q(unmapped=True),
                name="term_usage_unmapped",
            ),
        ]


class BackfillRequest(models.Model):
    """An order to refold because master data changed; moved slowly into the refold queue."""

    object = models.ForeignKey(
        BusinessObject, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )


class MasterChange(models.Model):
    """A change of a master row: who, when, before, after. Append-only."""

    table = models.CharField(max_length=10)
    row = models.BigIntegerField()
    version = models.IntegerField()
    action = models.CharField(max_length=10)
    at = models.DateTimeField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
    )
    origin = models.CharField(max_length=60)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["table", "row"], name="master_change_row")]
