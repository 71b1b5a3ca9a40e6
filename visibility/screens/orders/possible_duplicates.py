"""Which open orders may have been entered twice, and of which other orders."""

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from visibility.identity.duplicate_order_suggestions import DUPLICATE_SPAN

# The pairs that record matching suggests with the rule *Possible duplicate*, however old, without
# those that a person separated: see `duplicate_order_suggestions`.
DUPLICATE_PAIRS = """
    SELECT mine.object_id AS one, other.object_id AS two
    FROM visibility_order mine
    JOIN visibility_identifier po ON po.object_id = mine.object_id AND po.kind = 'order'
        AND po.scheme = 'customer_po' AND NOT po.rejected
    JOIN visibility_identifier same ON same.value = po.value AND same.kind = 'order'
        AND same.scheme = 'customer_po' AND NOT same.rejected
        AND same.object_id <> mine.object_id
    JOIN visibility_order other ON other.object_id = same.object_id
    WHERE mine.is_open AND other.total = mine.total AND other.currency = mine.currency
        AND other.ordered_at BETWEEN mine.ordered_at - %s AND mine.ordered_at + %s
        AND CASE WHEN mine.customer_no <> '' AND other.customer_no <> ''
            THEN mine.customer_no = other.customer_no
            ELSE mine.customer_name <> ''
                AND lower(mine.customer_name) = lower(other.customer_name) END
        AND NOT EXISTS (
            SELECT FROM visibility_identitydecision decision
            JOIN visibility_decisionidentifier x ON x.decision_id = decision.id AND x.side = 0
            JOIN visibility_identifier a ON a.is_identity AND a.value = x.value
                AND a.scheme = x.scheme AND a.issuer = x.issuer AND a.kind = x.kind
                AND a.object_id IN (mine.object_id, other.object_id)
            JOIN visibility_decisionidentifier y ON y.decision_id = decision.id AND y.side = 1
            JOIN visibility_identifier b ON b.is_identity AND b.value = y.value
                AND b.scheme = y.scheme AND b.issuer = y.issuer AND b.kind = y.kind
                AND b.object_id IN (mine.object_id, other.object_id)
            WHERE decision.undone_at IS NULL AND decision.verdict IN ('split', 'distinct')
                AND a.object_id <> b.object_id)
"""
HAS_DUPLICATE = f"visibility_order.object_id IN (SELECT pair.one FROM ({DUPLICATE_PAIRS}) AS pair)"  # noqa: S608  # constant SQL
IS_DUPLICATE_OF = f"""
visibility_order.object_id IN (
    SELECT pair.two FROM ({DUPLICATE_PAIRS} AND mine.object_id = %s) AS pair
)
"""  # noqa: S608  # constant SQL


def possible_duplicate_condition() -> Q:
    """Open orders with the customer, customer PO and total of another, ordered within 2 days."""
    span = [DUPLICATE_SPAN, DUPLICATE_SPAN]
    return Q(is_open=True) & Q(RawSQL(HAS_DUPLICATE, span, output_field=BooleanField()))  # noqa: S611  # constant SQL


def duplicates_of_condition(order_id: int) -> Q:
    """The orders of which this one, if it is open, may be a duplicate."""
    values = [DUPLICATE_SPAN, DUPLICATE_SPAN, order_id]
    return Q(RawSQL(IS_DUPLICATE_OF, values, output_field=BooleanField()))  # noqa: S611  # constant SQL
