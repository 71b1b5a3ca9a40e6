"""The systems that can be connected, with what each needs, and the form for a new source."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings

from connectors.catalog import connectors_by_slug
from connectors.sdk.batch_settings import BATCH_SETTING_NAMES
from connectors.sdk.connector import Connector, SourceRole
from connectors.sdk.settings import Setting, SettingError
from visibility.ingest.check_source_settings import DROP_FOLDER, connector_and_common_settings
from visibility.ingest.queue_settings import PREFIX as QUEUE_PREFIX
from visibility.models.sources_and_messages import Source
from visibility.screens.help.guide import SYSTEMS, guide_names
from visibility.screens.setting_fields import SettingField
from visibility.screens.sources import settings_form
from visibility.screens.sources.role_and_state_labels import ROLE_LABELS

# A line of the steps that continues the sentence of the line before.
UNFINISHED_LINE = re.compile(r"(?<![.:!?)])\n")
MAX_SLUG_LENGTH = 60


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """A system of the catalog. `steps`: what to do at the vendor, in order.

    `vendor_lists`: titles and items of what the vendor's form asks for. `guide_url`: the page of
    the system in the guide; empty for a manifest of this installation.
    """

    slug: str
    title: str
    role: SourceRole
    summary: str
    accepts_webhooks: bool
    polls: bool
    accepts_files: bool
    steps: Sequence[str]
    settings: Sequence[Setting]
    vendor_lists: Sequence[tuple[str, Sequence[str]]]
    guide_url: str

    @property
    def ways(self) -> Sequence[str]:
        """How messages arrive, in words."""
        return tuple(
            text
            for text, applies in (
                ("Webhooks", self.accepts_webhooks),
                ("Queues", self.accepts_webhooks),
                ("Polled", self.polls),
                ("Files", self.accepts_files),
            )
            if applies
        )

    @property
    def uses_secret(self) -> bool:
        """Whether the secret verifies or signs something: files need none."""
        return self.accepts_webhooks or self.polls

    @property
    def role_label(self) -> str:
        """The usual role of the system in words."""
        return ROLE_LABELS[self.role]


def list_connectors(search: str = "") -> list[ConnectorEntry]:
    """Return the systems by title. `search`: only those that contain each of its terms."""
    terms = search.casefold().split()
    entries = [_connector_entry(kind) for kind in connectors_by_slug().values()]
    return sorted(
        (entry for entry in entries if all(term in _searched_text(entry) for term in terms)),
        key=lambda entry: entry.title.casefold(),
    )


def find_connector(slug: str) -> ConnectorEntry | None:
    """Return a system of the catalog, or None."""
    kind = connectors_by_slug().get(slug)
    return _connector_entry(kind) if kind else None


def setup_steps(setup: str) -> list[str]:
    """Return the steps of a setup text: its lines, without those that only wrap."""
    joined = UNFINISHED_LINE.sub(" ", setup.strip())
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


def unused_slug(connector: str) -> str:
    """Return a slug for a new source of this connector: its name, with a number if it is used."""
    used = set(
        Source.objects.filter(slug__startswith=connector).values_list("slug", flat=True)[:10_000]
    )
    number = 1
    while (slug := connector if number == 1 else f"{connector}-{number}") in used:
        number += 1
    return slug[:MAX_SLUG_LENGTH]


def new_source_of_form(connector: str) -> Source:
    """Return a source that is not stored, for the form of its settings."""
    return Source(connector=connector, config={}, sealed_secrets="")


@dataclass(frozen=True, slots=True)
class FieldGroups:
    """The fields of a source: those to show, more of them, those of its queue and its batches."""

    shown: list[SettingField]
    more: list[SettingField]
    queue: list[SettingField]
    batches: list[SettingField]

    @property
    def opens_queue(self) -> bool:
        """Whether the source has a queue, or one was entered."""
        return any(field.value or field.error for field in self.queue)

    @property
    def opens_batches(self) -> bool:
        """Whether the source has a schedule of batches, or one was entered."""
        return any(field.value or field.error for field in self.batches)


def new_source_fields(
    connector: str, entered: Mapping[str, str], errors: Sequence[SettingError]
) -> FieldGroups:
    """Return the fields of the form for a new source.

    An entered secret stays in its field, because nothing is stored yet. A field with an error is
    among the first, as is the folder of a system that sends files.
    """
    fields = [
        _new_source_field(field, connector, entered)
        for field in settings_form.setting_fields(
            new_source_of_form(connector), entered=entered, errors=errors
        )
    ]
    groups = group_fields(connector, fields)
    groups.shown.sort(key=lambda field: not field.is_required)
    return groups


def group_fields(connector: str, fields: Sequence[SettingField]) -> FieldGroups:
    """Group fields: those of the system and those with a value or an error are shown first."""
    kind = connectors_by_slug().get(connector)
    own = {setting.name for setting in (*(kind.settings if kind else ()), DROP_FOLDER)}
    queue = [field for field in fields if field.name.startswith(QUEUE_PREFIX)]
    batches = [field for field in fields if field.name in BATCH_SETTING_NAMES]
    others = [field for field in fields if field not in queue and field not in batches]
    first = [f for f in others if f.name in own or f.is_required or f.value or f.error]
    return FieldGroups(first, [f for f in others if f not in first], queue, batches)


def _new_source_field(
    field: SettingField, connector: str, entered: Mapping[str, str]
) -> SettingField:
    if field.is_secret:
        return replace(field, value=entered.get(field.name, ""))
    if field.setting is DROP_FOLDER:
        roots = " or ".join(settings.DROP_ROOTS)
        example = f"{settings.DROP_ROOTS[0]}/{connector}" if settings.DROP_ROOTS else ""
        such_as = f", such as {example}" if example else ""
        sentence = f"Enter a path inside {roots}{such_as}; it is created."
        return replace(field, help=f"{field.help} {sentence}", placeholder=example)
    return field


def example_request(source: Source, url: str, secret: str, now: datetime) -> str:
    """Return a signed curl command, or an empty text if the connector has no example."""
    connector = source.build_connector()
    body = connector.example_payload()
    if not body:
        return ""
    headers = connector.build_signed_headers(body, secret.encode(), now)
    fields = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
    text = body.decode().replace("'", "'\\''")
    return f"curl -i {fields} --data-binary '{text}' '{url}'"


def _connector_entry(kind: type[Connector]) -> ConnectorEntry:
    summary = (inspect.getdoc(kind) or "").split("\n\n")[0]
    return ConnectorEntry(
        slug=kind.slug,
        title=kind.title,
        role=kind.role,
        summary=" ".join(summary.split()),
        accepts_webhooks=kind.accepts_webhooks,
        polls=kind.polls,
        accepts_files=kind.accepts_files,
        steps=setup_steps(kind.setup) or kind.derived_steps,
        settings=connector_and_common_settings(kind),
        vendor_lists=[
            (title, names)
            for title, names in (("Topics", kind.topics), ("Permissions", kind.permissions))
            if names
        ],
        guide_url=f"/help/{page}" if (page := f"{SYSTEMS}/{kind.slug}") in guide_names() else "",
    )


def _searched_text(entry: ConnectorEntry) -> str:
    texts = (entry.slug, entry.title, entry.role_label, entry.summary, *entry.ways)
    return " ".join(texts).casefold()
