"""The page of the record that an audit entry speaks of, if it exists and the reader may open it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Model, Q

from visibility.boards.stored_boards import OPERATIONS, visible_boards_condition
from visibility.master_data.tables import TABLES
from visibility.models import (
    Alert,
    ApiToken,
    AuditEntry,
    Board,
    BusinessObject,
    IdentityDecision,
    InboundMessage,
    KpiNote,
    KpiTarget,
    Manifest,
    MasterImport,
    MessageDiscard,
    MessageReplay,
    ReleaseCheck,
    SavedView,
    ScreenLink,
    SlaRule,
    Source,
    Subscription,
    Team,
    WorkCalendar,
)
from visibility.web.page_access import may_open

MAX_ID = 2**63 - 1


def _all(_: User) -> Q:
    return Q()


def _orders_and_merged(_: User) -> Q:
    """The address of an order that was merged into another leads to that one."""
    return Q(order__isnull=False) | Q(merged_into__order__isnull=False)


def _own_and_shared(user: User) -> Q:
    return Q(owner=user) | Q(team__members=user)


@dataclass(frozen=True)
class RecordPage:
    """Records of a model, by the value of `field`, and where one is shown.

    `columns` are the columns that `url` is filled with besides `{key}`.
    """

    model: type[Model]
    field: str
    url: str
    columns: tuple[str, ...] = ()
    # Which records this reader may open, beyond the permissions of the page.
    limit: Callable[[User], Q] = _all
    # Keys of records that exist without a row.
    built_in: tuple[str, ...] = ()


PERSON = RecordPage(User, "username", "/people/{pk}", ("pk",))
TEAM = RecordPage(Team, "title", "/teams/{slug}", ("slug",))
SOURCE = RecordPage(Source, "slug", "/sources/{key}")
REPLAY = RecordPage(MessageReplay, "pk", "/messages/replays/{key}")
DISCARD = RecordPage(MessageDiscard, "pk", "/messages/discards/{key}")
# The start of the text that names the record; an id or a name follows.
BY_PREFIX: Mapping[str, RecordPage] = {
    "order": RecordPage(BusinessObject, "pk", "/orders/{key}", limit=_orders_and_merged),
    "alert": RecordPage(Alert, "pk", "/alerts/{key}"),
    "message": RecordPage(InboundMessage, "pk", "/messages/{key}"),
    "rule": RecordPage(SlaRule, "code", "/rules/{key}"),
    "subscription": RecordPage(Subscription, "pk", "/subscriptions/{key}"),
    "board": RecordPage(
        Board,
        "slug",
        "/boards/{key}",
        limit=lambda user: visible_boards_condition(user.pk),
        built_in=(OPERATIONS,),
    ),
    "calendar": RecordPage(WorkCalendar, "code", "/calendars/{key}"),
    "manifest": RecordPage(Manifest, "slug", "/manifests/{key}"),
    "release check": RecordPage(ReleaseCheck, "pk", "/release-checks/{key}"),
    "join": RecordPage(IdentityDecision, "pk", "/joins/{key}"),
    "import": RecordPage(MasterImport, "pk", "/mappings/files/{key}"),
    "saved view": RecordPage(SavedView, "pk", "/saved-views/{key}", limit=_own_and_shared),
    "screen link": RecordPage(ScreenLink, "pk", "/screen-links"),
    "API token": RecordPage(ApiToken, "pk", "/tokens"),
    "KPI target": RecordPage(KpiTarget, "pk", "/kpi-targets?kpi={kpi}", ("kpi",)),
    "KPI note": RecordPage(KpiNote, "pk", "/numbers/{kpi}", ("kpi",)),
    **{code: RecordPage(t.model, "pk", f"/mappings/{code}/{{key}}") for code, t in TABLES.items()},
}
# The area of an action, its first part, whose entries name the record alone.
BY_AREA: Mapping[str, RecordPage] = {
    **dict.fromkeys(("account", "person", "session", "second_factor", "start_page"), PERSON),
    "source": SOURCE,
    "team": TEAM,
}
# Entries whose detail names the record.
BY_DETAIL: Mapping[str, RecordPage] = {"replay": REPLAY, "discard": DISCARD}
# Settings of the installation: the page of an area or of one action.
SETTINGS_PAGES: Mapping[str, str] = {
    "address": "/outgoing-addresses",
    "demo_data": "/setup",
    "mail_server": "/mail-server",
    "organization": "/organization",
    "organization.brand_changed": "/organization/tracking-page",
    "security": "/people/security",
    "single_sign_on": "/people/single-sign-on",
    "saml_provider": "/people/single-sign-on/saml",
    "secret_key": "/system",
    "messages": "/messages/retention",
    "master.never": "/mappings/unmapped",
    "master.again": "/mappings/unmapped",
}


def subject_urls(entries: Sequence[AuditEntry], reader: User) -> dict[int, str]:
    """The URL of the record of each entry that has one, by the id of the entry.

    One statement for each kind of record among the entries, however many there are.
    """
    urls: dict[int, str] = {}
    named: dict[RecordPage, dict[int, str]] = defaultdict(dict)
    for entry in entries:
        if page := _settings_page(entry):
            urls[entry.pk] = page
        elif record := find_record(entry):
            named[record[0]][entry.pk] = record[1]
    for page_of_records, keys in named.items():
        existing = _urls_of_existing(page_of_records, set(keys.values()), reader)
        urls |= {pk: existing[key] for pk, key in keys.items() if key in existing}
    may = {url: may_open(reader, url) for url in set(urls.values())}
    return {pk: url for pk, url in urls.items() if may[url]}


def find_record(entry: AuditEntry) -> tuple[RecordPage, str] | None:
    """The page and the key of the record that an entry names; None if it names none."""
    area = entry.action.partition(".")[0]
    for name, page in BY_DETAIL.items():
        if area == "message" and name in entry.detail:
            return page, str(entry.detail[name])
    if area in BY_AREA:
        return BY_AREA[area], entry.object
    match = re.fullmatch(r"([A-Za-z_]+(?: [a-z]+)?) (\S+)", entry.object)
    return (BY_PREFIX[match[1]], match[2]) if match and match[1] in BY_PREFIX else None


def _settings_page(entry: AuditEntry) -> str | None:
    area = entry.action.partition(".")[0]
    return SETTINGS_PAGES.get(entry.action) or SETTINGS_PAGES.get(area)


def _urls_of_existing(page: RecordPage, keys: Iterable[str], reader: User) -> dict[str, str]:
    if page.field == "pk":
        keys = [key for key in keys if key.isascii() and key.isdecimal() and int(key) <= MAX_ID]
    rows = page.model._default_manager.filter(page.limit(reader), **{f"{page.field}__in": keys})
    existing = {
        str(key): page.url.format(key=key, **dict(zip(page.columns, columns, strict=True)))
        for key, *columns in rows.values_list(page.field, *page.columns).distinct()
    }
    return {key: page.url.format(key=key) for key in page.built_in} | {
        key: url.rstrip("/") for key, url in existing.items()
    }
