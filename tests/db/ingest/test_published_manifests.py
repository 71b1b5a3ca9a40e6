"""Manifests from the database: drafts, versions, and the processes that notice them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from connectors import catalog
from connectors.sdk.manifest import time_limit
from connectors.sdk.manifest.connector import ManifestConnector
from tests.builders.manifests import SAMPLE, SLUG, draft, edit, publish
from tests.builders.sources import create_source, message
from visibility.db.database_time import database_now
from visibility.ingest import check_manifest
from visibility.ingest.change_manifest import (
    MAX_SAMPLES,
    add_sample,
    create_manifest,
    delete_manifest,
    remove_sample,
    save_draft,
)
from visibility.ingest.check_manifest_input import InvalidManifestInput, ManifestConflict
from visibility.ingest.publish_manifest import (
    CannotBePublished,
    live_version,
    load_samples,
    publish_draft,
    roll_back,
)
from visibility.models import AuditEntry, Event, Manifest, ManifestVersion
from visibility.pipeline import job_functions
from visibility.storage import published_manifests

pytestmark = pytest.mark.django_db


@contextmanager
def another_process() -> Iterator[None]:
    """What is done in the block is done by another process: this one uses what it used before."""
    published, loaded = dict(catalog._published), published_manifests._loaded
    yield
    catalog._published.clear()
    catalog._published.update(published)
    published_manifests._loaded = loaded


def errors_of(**values: object) -> dict[str, str]:
    known = {"slug": "other_3pl", "sample": SAMPLE} | values
    with pytest.raises(InvalidManifestInput) as caught:
        create_manifest(**known, by=None, now=database_now())  # type: ignore[arg-type]
    return dict(caught.value.errors)


def test_a_sample_becomes_a_draft_that_can_be_published() -> None:
    manifest = draft()
    assert f"connector: {SLUG}" in manifest.text
    assert load_samples(manifest) == {"order.json": SAMPLE}
    assert SLUG not in catalog.connectors_by_slug()
    publish(manifest)
    assert catalog.connectors_by_slug()[SLUG].title == "Hill 3Pl"
    actions = AuditEntry.objects.order_by("id").values_list("action", "object")
    assert list(actions) == [
        ("manifest.created", f"manifest {SLUG}"),
        ("manifest.published", f"manifest {SLUG}"),
    ]


def test_a_worker_reads_each_message_with_the_version_that_is_live() -> None:
    published_manifests.reload_published_manifests()
    with another_process():
        manifest = draft()
        publish(manifest)
        source = create_source("north", connector=SLUG)
    message(source, state="waiting", body=SAMPLE)
    job_functions.process_messages_and_refold()
    assert list(Event.objects.values_list("type", flat=True)) == ["order.received"]
    with another_process():
        edited = edit(manifest, ("order.received", "order.accepted"))
        publish(edited)
    message(source, state="waiting", body=SAMPLE.replace(b"SO-1", b"SO-2"))
    job_functions.process_messages_and_refold()
    assert Event.objects.latest("id").type == "order.accepted"
    with another_process():
        roll_back(edited, 1, note="wrong type", by=None, now=database_now())
    message(source, state="waiting", body=SAMPLE.replace(b"SO-1", b"SO-3"))
    job_functions.process_messages_and_refold()
    assert Event.objects.latest("id").type == "order.received"
    live = live_version(manifest)
    assert live is not None
    assert (live.number, live.restored_number, live.note) == (3, 1, "wrong type")


def test_other_processes_notice_a_version_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    published_manifests.reload_published_manifests()
    with another_process():
        publish(draft())
    assert SLUG not in catalog.connectors_by_slug()
    monkeypatch.setattr(published_manifests, "MAX_AGE", 0.0)
    published_manifests.refresh_published_manifests()
    assert SLUG in catalog.connectors_by_slug()
    with another_process():
        ManifestVersion.objects.all().delete()
    published_manifests.refresh_published_manifests()
    assert SLUG not in catalog.connectors_by_slug()


def test_a_saved_draft_changes_no_configuration(django_assert_num_queries: object) -> None:
    manifest = draft()
    publish(manifest)
    before = published_manifests._loaded.version
    edit(manifest, ("order.received", "order.accepted"))
    published_manifests.reload_published_manifests()
    assert published_manifests._loaded.version == before


def test_a_stored_version_that_cannot_be_used_is_reported_and_hides_no_other() -> None:
    publish(draft())
    other = draft("other_3pl")
    now = database_now()
    ManifestVersion.objects.create(manifest=other, number=1, text="connector: [", published_at=now)
    published_manifests.reload_published_manifests()
    assert SLUG in catalog.connectors_by_slug()
    assert "other_3pl" not in catalog.connectors_by_slug()
    [problem] = catalog.own_manifest_problems()
    assert problem.file == "other_3pl, version 1"


def test_names_of_shipped_systems_and_of_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = draft()
    (tmp_path / f"{SLUG}.yaml").write_text(manifest.text)
    (tmp_path / "other_3pl.yaml").write_text(manifest.text.replace(SLUG, "other_3pl"))
    monkeypatch.setattr(catalog, "_own", {})
    monkeypatch.setattr(catalog, "_refreshed_at", {})
    catalog.use_own_manifests(tmp_path, list)
    assert "shipped system" in errors_of(slug="shopify")["slug"]
    assert "has a file other_3pl.yaml" in errors_of()["slug"]
    with pytest.raises(ManifestConflict, match="has a file hill_3pl"):
        publish(manifest)
    # A file that is added later does not replace what is published, on this host or another.
    (tmp_path / f"{SLUG}.yaml").unlink()
    monkeypatch.setattr(catalog, "REFRESH_SECONDS", 0.0)
    publish(manifest)
    (tmp_path / f"{SLUG}.yaml").write_text(manifest.text.replace("title: Hill", "title: File"))
    assert catalog.connectors_by_slug()[SLUG].title == "Hill 3Pl"
    assert "is used instead of this file" in catalog.own_manifest_problems()[0].sentence


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"slug": "Hill-3PL"}, "slug", "lower-case letters"),
        ({"slug": "new"}, "slug", "reserved"),
        ({"sample": b"  \n"}, "sample", "Paste a sample"),
        ({"sample": b"<orders/>"}, "sample", "no elements with values"),
        ({"sample": b"PK\x03\x04"}, "sample", "do not read XLSX"),
        ({"sample": b"hello"}, "sample", "neither JSON, XML nor a table"),
        ({"sample": b'{"a": '}, "sample", "cannot be read"),
        ({"sample": b'{"a": "' + b"x" * 262_144 + b'"}'}, "sample", "larger than 256 KiB"),
        ({"sample_name": "../x"}, "name", "letters, digits"),
        ({"sample": b"", "copy_of": "shopify"}, "copy_of", "no manifest with this name"),
        ({"copy_of": "woocommerce"}, "sample", "either a sample or"),
    ],
)
def test_unusable_input_is_refused_with_a_sentence(
    values: dict[str, object], field: str, sentence: str
) -> None:
    assert sentence in errors_of(**values)[field]
    assert not Manifest.objects.exists()


def test_a_name_is_used_once() -> None:
    draft()
    assert errors_of(slug=SLUG) == {"slug": "There is a manifest with this name."}


@pytest.mark.parametrize("slug", ["woocommerce", "northlog_945", "easypost"])
def test_a_shipped_manifest_is_copied_with_its_samples(slug: str) -> None:
    manifest = create_manifest("our_copy", copy_of=slug, by=None, now=database_now())
    samples = load_samples(manifest)
    check = check_manifest.check_manifest("our_copy", manifest.text, samples, now=database_now())
    assert check.problems == []
    assert check.title == "Our copy"
    publish(manifest)
    assert catalog.connectors_by_slug()["our_copy"].settings


def test_a_draft_with_problems_is_saved_but_not_published() -> None:
    manifest = edit(draft(), ("gives: [order.received]", "gives: [order.accepted]"))
    with pytest.raises(CannotBePublished) as caught:
        publish(manifest)
    [problem] = caught.value.check.problems
    assert problem.sentence == "gives order.received, not order.accepted"
    assert not ManifestVersion.objects.exists()


def test_a_draft_with_another_name_is_not_published() -> None:
    manifest = edit(draft(), (f"connector: {SLUG}", "connector: other"))
    with pytest.raises(CannotBePublished) as caught:
        publish(manifest)
    assert "the manifest is 'hill_3pl'" in caught.value.check.problems[0].sentence


def test_two_people_do_not_overwrite_each_other() -> None:
    manifest = draft()
    edit(manifest, ("order.received", "order.accepted"))
    with pytest.raises(ManifestConflict):
        save_draft(manifest, "mine", revision=1, by=None, now=database_now())
    with pytest.raises(ManifestConflict):
        publish_draft(manifest, revision=1, note="", by=None, now=database_now())
    assert "order.accepted" in Manifest.objects.get().text


@pytest.mark.parametrize("text", ["x" * 131_073, " \n", "a: \0"])
def test_unusable_texts_are_not_saved(text: str) -> None:
    with pytest.raises(InvalidManifestInput):
        save_draft(draft(), text, revision=None, by=None, now=database_now())


def test_an_equal_version_is_not_published_again() -> None:
    manifest = draft()
    publish(manifest)
    with pytest.raises(ManifestConflict, match="equals version 1"):
        publish(manifest)
    with pytest.raises(ManifestConflict, match="equals version 1"):
        roll_back(manifest, 1, note="", by=None, now=database_now())
    with pytest.raises(InvalidManifestInput, match="no version"):
        roll_back(manifest, 7, note="", by=None, now=database_now())


def test_examples_name_stored_samples_and_never_files_of_the_host(tmp_path: Path) -> None:
    manifest = draft()
    text = manifest.text[: manifest.text.index("examples:")]
    text += "examples:\n  - {file: order.json, gives: [order.received]}\n"
    manifest = save_draft(manifest, text, revision=None, by=None, now=database_now())
    publish(manifest)
    remove_sample(manifest, "order.json", by=None, now=database_now())
    check = check_manifest.check_manifest(SLUG, text, load_samples(manifest), now=database_now())
    assert [problem.sentence for problem in check.problems] == [
        "order.json: no sample has this name"
    ]


def test_the_number_of_samples_is_limited() -> None:
    manifest = draft()
    for number in range(MAX_SAMPLES - 1):
        add_sample(manifest, f"s{number}", SAMPLE, by=None, now=database_now())
    add_sample(manifest, "order.json", SAMPLE, by=None, now=database_now())
    with pytest.raises(InvalidManifestInput, match="can have 20 samples"):
        add_sample(manifest, "one-more", SAMPLE, by=None, now=database_now())


def test_only_drafts_that_were_never_published_are_deleted() -> None:
    manifest = draft()
    publish(manifest)
    with pytest.raises(ManifestConflict, match="cannot be deleted"):
        delete_manifest(manifest, by=None, now=database_now())
    other = draft("other_3pl")
    delete_manifest(other, by=None, now=database_now())
    assert not Manifest.objects.filter(slug="other_3pl").exists()


def test_a_check_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = draft()
    monkeypatch.setattr(check_manifest, "MAX_SECONDS", 0.3)
    document = {**orjson.loads(SAMPLE), "lines": []}
    document["lines"] = [{"line": n, "sku": "A", "qty": 1} for n in range(2_000)]
    events = manifest.text[manifest.text.index("  - type:") : manifest.text.index("codes:")]
    text = manifest.text.replace(events, events * 200)
    samples = {"large": orjson.dumps(document)}
    check = check_manifest.check_manifest(SLUG, text, samples, now=database_now())
    assert [problem.sentence for problem in check.problems] == [check_manifest.TOO_SLOW]
    time_limit.raise_if_time_is_up()


def test_a_check_that_reads_no_record_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = draft()
    monkeypatch.setattr(check_manifest, "MAX_SECONDS", 0.0)
    text = manifest.text.replace("format: json", "format: json\n  records: absent")
    assert text != manifest.text
    check = check_manifest.check_manifest(SLUG, text, {"a": SAMPLE}, now=database_now())
    assert [problem.sentence for problem in check.problems] == [check_manifest.TOO_SLOW]


def test_a_version_that_this_release_cannot_use_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [(SLUG, 1, draft().text), ("other_3pl", 4, draft("other_3pl").text)]
    usual = published_manifests.connector_of_text

    def fail_for_first(slug: str, text: str) -> type[ManifestConnector]:
        if slug == SLUG:
            raise RecursionError("too deep")
        return usual(slug, text)

    monkeypatch.setattr(published_manifests, "connector_of_text", fail_for_first)
    published_manifests.use_published_rows(None, rows)
    assert "other_3pl" in catalog.connectors_by_slug()
    assert SLUG not in catalog.connectors_by_slug()
    assert any("RecursionError" in str(problem) for problem in catalog.own_manifest_problems())


def test_a_check_warns_of_settings_that_sources_lack() -> None:
    manifest = draft()
    publish(manifest)
    create_source("north", connector=SLUG)
    changed = edit(
        manifest,
        ("receive:\n", 'settings:\n  issuer: {help: "The ERP.", required: yes}\nreceive:\n'),
        ("scheme: order_number,", 'scheme: sales_order, issuer: "{$issuer}",'),
    )
    check = check_manifest.check_manifest(SLUG, changed.text, {}, now=database_now())
    assert [line.partition(": ")[2] for line in check.warnings] == [
        "issuer: This setting is required."
    ]
