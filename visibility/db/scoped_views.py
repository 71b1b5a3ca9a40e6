"""The schema of limited views: what a person with a scope sees of each table.

Each view has the name of its table. With a scope, statements find only these views, so a table that
is in none of the groups below does not exist for them. Migrations run without the views, which
depend on the columns of their tables: `drop_views` before, `create_views` after them.
"""

import hashlib

from django.db.backends.utils import CursorWrapper

from visibility.db.data_scope import DIMENSIONS

SCHEMA = "visibility_scoped"
# The settings of a connection. An empty one is no number and no array: statements then fail.
SETTINGS = ("throughline.scope_user", *(f"throughline.scope_{name}" for name in DIMENSIONS))
_USER = "current_setting('throughline.scope_user')::int"


def _values_of(setting: str, column: str) -> str:
    """The subqueries are evaluated once for a statement, not for each row."""
    value = f"SELECT current_setting('throughline.scope_{setting}')"
    return f"(({value} = '{{}}') OR o.{column} = ANY (({value}::text[])::text[]))"


ORDER_IN_SCOPE = " AND ".join(_values_of(name, column) for name, column in DIMENSIONS.items())
_ORDER = (
    "EXISTS (SELECT FROM public.visibility_order AS o"  # only own texts
    " WHERE o.object_id = {} AND " + ORDER_IN_SCOPE.replace("{", "{{").replace("}", "}}") + ")"
)
# `order_coverage`: whether an object is, belongs to or was merged into an order in the scope; null
# without any order. An event that also names an order outside is not shown: its text would tell.
_FUNCTIONS = f"""
CREATE FUNCTION {SCHEMA}.order_coverage(bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
WITH RECURSIVE up (id) AS (
    SELECT $1
    UNION
    SELECT next.id FROM up CROSS JOIN LATERAL (
        SELECT r.parent_id FROM public.visibility_objectrelation AS r WHERE r.child_id = up.id
        UNION ALL
        SELECT b.merged_into_id FROM public.visibility_businessobject AS b
        WHERE b.id = up.id AND b.merged_into_id IS NOT NULL
    ) AS next (id)
)
-- OFFSET 0 keeps the planner from reading all orders: it expects many objects in `up`.
SELECT bool_or(of_object.covered) FROM up CROSS JOIN LATERAL (
    SELECT {ORDER_IN_SCOPE} AS covered FROM public.visibility_order AS o
    WHERE o.object_id = up.id OFFSET 0
) AS of_object
$$;
CREATE FUNCTION {SCHEMA}.covers_object(bigint) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT coalesce({SCHEMA}.order_coverage($1), false) $$;
CREATE FUNCTION {SCHEMA}.covers_event(bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
SELECT coalesce(bool_and(covered), false) FROM (
    SELECT {SCHEMA}.order_coverage(l.object_id) AS covered
    FROM public.visibility_eventobjectlink AS l WHERE l.event_id = $1
) AS link
$$;
CREATE FUNCTION {SCHEMA}.covers_telemetry(bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
SELECT coalesce(bool_and(covered), false) FROM (
    SELECT {SCHEMA}.order_coverage(i.object_id) AS covered
    FROM public.visibility_telemetrynumber AS n JOIN public.visibility_identifier AS i
        ON i.value = n.value AND i.scheme = n.scheme AND i.issuer = n.issuer AND i.kind = n.kind
    WHERE n.sample_id = $1
) AS number
$$;
CREATE FUNCTION {SCHEMA}.similarity(text, text) RETURNS real LANGUAGE sql IMMUTABLE AS
$$ SELECT public.similarity($1, $2) $$;
"""  # noqa: S608  # only own texts


def _covers_object(column: str) -> str:
    return f"{SCHEMA}.covers_object(t.{column})"


def _exists(table: str, condition: str, *, alias: str = "x") -> str:
    return f"EXISTS (SELECT FROM public.{table} AS {alias} WHERE {condition})"  # own texts


_ALERT = _exists("visibility_alert", "x.id = t.alert_id AND " + _ORDER.format("x.order_id"))
# The rows of these tables that a person with a scope sees; `t` is the table.
LIMITED_TABLES = {
    "visibility_order": ORDER_IN_SCOPE.replace("o.", "t."),
    **dict.fromkeys(
        (
            "visibility_orderline",
            "visibility_shipment",
            "visibility_milestone",
            "visibility_conflict",
            "visibility_kpifact",
            "visibility_failedkpi",
            "visibility_termusage",
            "visibility_slaclock",
            "visibility_failedclock",
            "visibility_alert",
        ),
        _ORDER.format("t.order_id"),
    ),
    **dict.fromkeys(
        ("visibility_ordernote", "visibility_orderwatch", "visibility_trackinglink"),
        _covers_object("order_id"),
    ),
    **dict.fromkeys(
        (
            "visibility_identifier",
            "visibility_eventobjectlink",
            "visibility_refoldrequest",
            "visibility_backfillrequest",
        ),
        _covers_object("object_id"),
    ),
    "visibility_businessobject": _covers_object("id"),
    "visibility_objectrelation": _covers_object("parent_id"),
    "visibility_merge": _covers_object("winner_id"),
    "visibility_ordermention": _exists(
        "visibility_ordernote",
        f"x.id = t.note_id AND {SCHEMA}.covers_object(x.order_id)",
    ),
    "visibility_trackingsubscriber": _exists(
        "visibility_trackinglink",
        f"x.id = t.link_id AND {SCHEMA}.covers_object(x.order_id)",
    ),
    "visibility_alertentry": _ALERT,
    "visibility_notification": _ALERT,
    "visibility_alertmention": _exists(
        "visibility_alertentry",
        "entry.id = t.entry_id AND "
        + _exists("visibility_alert", "x.id = entry.alert_id AND " + _ORDER.format("x.order_id")),
        alias="entry",
    ),
    "visibility_subscription": f"t.user_id = {_USER}",
    "visibility_deliveryattempt": _exists(
        "visibility_subscription", f"x.id = t.subscription_id AND x.user_id = {_USER}"
    ),
    "visibility_event": f"{SCHEMA}.covers_event(t.id)",
    **dict.fromkeys(
        ("visibility_message_body", "visibility_messagekey"),
        _exists("visibility_event", f"x.message_id = t.message_id AND {SCHEMA}.covers_event(x.id)"),
    ),
    "visibility_inbound_message": _exists(
        "visibility_event", f"x.message_id = t.id AND {SCHEMA}.covers_event(x.id)"
    ),
    "visibility_telemetrysample": f"{SCHEMA}.covers_telemetry(t.id)",
    "visibility_telemetrynumber": f"{SCHEMA}.covers_telemetry(t.sample_id)",
    "visibility_customername": "EXISTS (SELECT FROM public.visibility_order AS o"
    f" WHERE o.customer_name = t.name AND o.customer_no = t.number AND {ORDER_IN_SCOPE})",
    "visibility_customer": "t.number IN (SELECT o.customer_no FROM public.visibility_order AS o"  # noqa: S608
    f" WHERE {ORDER_IN_SCOPE})",
}
# What belongs to no order, or may name orders of others: a person with a scope sees no row.
HIDDEN_TABLES = frozenset(
    {
        # Sums over all orders: values are summed from the facts instead.
        *("visibility_kpicell", "visibility_kpifactchange", "visibility_kpirecountrequest"),
        *("visibility_kpirecomputerequest", "visibility_kpirecordchange", "visibility_kpinote"),
        # Shipments and invoices without an order, and decisions that name two orders.
        *("visibility_unmatchedobject", "visibility_identitydecision"),
        *("visibility_decisionidentifier", "visibility_movedalert", "visibility_movedalertentry"),
        # Work of integrators on messages and master data.
        *("visibility_messagereplay", "visibility_messagediscard", "visibility_editedmessage"),
        *("visibility_masterchange", "visibility_masterimport", "visibility_importpart"),
        *("visibility_importrow", "visibility_ignoredterm", "visibility_unstoredrequest"),
        *("visibility_outgoingrequest", "visibility_pollround", "visibility_sourcefield"),
        "visibility_queueconnection",
        *("visibility_sourcefieldsample", "visibility_rejectedrequestcount"),
        *("visibility_manifestsample", "visibility_requestcount"),
        "visibility_sourcefieldchange",
        # Sums over the orders of all people.
        *("visibility_telemetryhour", "visibility_queuehour", "visibility_telemetrykey"),
        *("visibility_releasecheck", "visibility_releasecheckorder"),
        "visibility_releasecheckmessage",
        "visibility_sentversion",
        *("visibility_batchschedule", "visibility_sourcebatch", "visibility_repeatedbatch"),
    }
)
# Without anything of an order: settings, and what each person chose. Their code checks whose rows
# they are. The text of event corrections is only joined, never shown.
FULL_TABLES = frozenset(
    {
        *("auth_user", "auth_group", "auth_permission", "auth_user_groups"),
        *("auth_group_permissions", "auth_user_user_permissions", "django_content_type"),
        *("django_session", "django_migrations", "account_emailaddress"),
        *("account_emailconfirmation", "mfa_authenticator", "usersessions_usersession"),
        *("socialaccount_socialaccount", "socialaccount_socialapp", "socialaccount_socialtoken"),
        *("visibility_identityprovider", "visibility_samlprovider", "visibility_samlsignin"),
        "visibility_keyreplacement",
        *("visibility_cache", "visibility_accountlink", "visibility_securitysettings"),
        *("visibility_signinthrottle", "visibility_personscope", "visibility_team"),
        *("visibility_team_members", "visibility_apitoken", "visibility_idempotencykey"),
        *("visibility_auditentry", "visibility_audithead", "visibility_heartbeat"),
        *("visibility_change", "visibility_changehead", "visibility_configurationversion"),
        *("visibility_board", "visibility_startboard", "visibility_screenlink"),
        *("visibility_savedview", "visibility_listcolumnchoice", "visibility_orderlanechoice"),
        *("visibility_backgroundexport", "visibility_backgroundexportchunk"),
        *("visibility_demotourentry", "visibility_organization", "visibility_setuplink"),
        "visibility_demodata",
        *("visibility_customerbrand", "visibility_mailserver", "visibility_allowedaddress"),
        *("visibility_slarule", "visibility_workcalendar", "visibility_rulerecheck"),
        *("visibility_kpitarget", "visibility_item", "visibility_unitfactor"),
        *("visibility_location", "visibility_taxjurisdiction", "visibility_termmapping"),
        *("visibility_watchedvocabulary", "visibility_source", "visibility_sourceactivity"),
        "visibility_telemetryseries",
        *("visibility_cursor", "visibility_sourcemaintenance", "visibility_manifest"),
        *("visibility_manifestversion", "visibility_messagebodymove"),
        *("visibility_messagebodypartition", "visibility_eventcorrection"),
        "visibility_eventreader",
        *("visibility_effective_event_correction",),
    }
)
_RELATIONS = """
SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY c.relname ORDER BY c.relname
"""
_STORED_FINGERPRINT = """
SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s
"""


def unassigned_tables(cursor: CursorWrapper) -> list[str]:
    """Tables that no group names: they do not exist for a person with a scope."""
    return sorted(set(_columns_by_table(cursor)) - _all_groups())


def create_views(cursor: CursorWrapper) -> None:
    """Create the schema again if tables or conditions have changed since."""
    columns = _columns_by_table(cursor)
    statements = [
        _view_statement(table, columns[table]) for table in sorted(_all_groups() & set(columns))
    ]
    if "visibility_personscope" not in columns:
        return  # of an older version, which has no scopes
    script = ";\n".join([_FUNCTIONS.strip().rstrip(";"), *statements])
    fingerprint = hashlib.sha256(script.encode()).hexdigest()
    cursor.execute(_STORED_FINGERPRINT, [SCHEMA])
    if cursor.fetchone() == (fingerprint,):
        return
    drop_views(cursor)
    # The views have the rights of those who read them: everybody may use the schema.
    cursor.execute(
        f"CREATE SCHEMA {SCHEMA}; {script};"
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO PUBLIC;"
        f"COMMENT ON SCHEMA {SCHEMA} IS '{fingerprint}'"
    )


def drop_views(cursor: CursorWrapper) -> None:
    """Until they are created again, requests of people with a scope fail."""
    cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def _columns_by_table(cursor: CursorWrapper) -> dict[str, list[str]]:
    cursor.execute(_RELATIONS)
    return dict(cursor.fetchall())


def _all_groups() -> set[str]:
    return {*LIMITED_TABLES, *HIDDEN_TABLES, *FULL_TABLES}


def _view_statement(table: str, columns: list[str]) -> str:
    names = ", ".join(f't."{column}"' for column in columns)
    condition = LIMITED_TABLES.get(table) or ("false" if table in HIDDEN_TABLES else "true")
    select = f"SELECT {names} FROM public.{table} AS t WHERE {condition}"  # noqa: S608  # own texts
    return f"CREATE VIEW {SCHEMA}.{table} WITH (security_invoker = true) AS {select}"
