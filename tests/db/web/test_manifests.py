"""Manifests in the browser and over the API: draft, check, compare, publish, roll back."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from connectors.catalog import connectors_by_slug
from tests.builders.forms import FormReader
from tests.builders.manifests import SAMPLE, SLUG, draft, edit, publish, published_manifest
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in, user_of_role
from visibility.ingest.publish_manifest import load_samples
from visibility.models import AuditEntry, Event, Manifest, ManifestVersion
from visibility.screens.manifests import compare_readings
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE = f"/manifests/{SLUG}"
API = f"/api/v1{PAGE}"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def session() -> Client:
    """The integrator in a client that checks CSRF tokens."""
    user_of_role(UserRole.INTEGRATOR, "ines")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="ines"))
    return client


def text(client: Client, url: str = PAGE) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return unescape(answer.content.decode())


def post(client: Client, url: str, page: str = PAGE, **form: Any) -> Any:
    """Post a form with the CSRF token of the page before it."""
    client.get(page)
    values = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, **form}
    return client.post(url, values, follow=True)


def send(client: Client, url: str, method: str = "post", **body: Any) -> Any:
    return getattr(client, method)(url, body, "application/json")


def test_a_pasted_sample_becomes_a_draft_with_its_events(session: Client) -> None:
    assert 'href="/manifests/new"' in text(session, "/sources/new")
    answer = post(session, "/manifests/new", "/manifests/new", slug=SLUG, sample=SAMPLE.decode())
    assert answer.redirect_chain[-1][0] == PAGE
    page = unescape(answer.content.decode())
    assert "No problems" in page
    assert "SO-1 (order_number@hill_3pl)" in page
    assert "1 A-1: 2 EA ordered" in page
    assert "CHECK" in Manifest.objects.get().text
    assert session.post(f"{PAGE}/save", {"text": "x"}).status_code == 403
    assert Manifest.objects.get().revision == 1  # without a token nothing is stored


def test_an_uploaded_file_is_a_sample(session: Client) -> None:
    body = b"Order;Line;Item;Qty\nSO-1;1;A-1;2\nSO-1;2;A-2;1,5\n"
    file = SimpleUploadedFile("ship (1).csv", body)
    post(session, "/manifests/new", "/manifests/new", slug=SLUG, file=file)
    assert load_samples(Manifest.objects.get()) == {"ship _1_.csv": body}
    assert 'delimiter: ";"' in Manifest.objects.get().text


def test_errors_are_shown_at_their_fields_and_nothing_is_unescaped(session: Client) -> None:
    new = "/manifests/new"
    answer = post(session, new, new, slug=HOSTILE, sample=f'{{"a": "{HOSTILE}"')
    assert answer.status_code == 422
    page = answer.content.decode()
    assert HOSTILE not in page
    assert "Enter 2 to 40 characters" in page
    assert "The sample cannot be read" in page
    answer = post(session, new, new, slug="shopify", sample="<orders/>")
    assert "A shipped system has the name" in unescape(answer.content.decode())
    assert "the sample has no elements with values" in answer.content.decode()
    assert not Manifest.objects.exists()
    sample = SAMPLE.replace(b"SO-1", HOSTILE.encode()).replace(b"A-1", HOSTILE.encode())
    draft(sample=sample)
    assert HOSTILE not in session.get(PAGE).content.decode()
    edit(Manifest.objects.get(), ("role: other", f"role: '{HOSTILE}'"))
    assert HOSTILE not in session.get(PAGE).content.decode()


def test_check_stores_the_draft_and_names_line_and_path(session: Client) -> None:
    manifest = draft()
    changed = manifest.text.replace("role: other", "role: boss")
    answer = post(session, f"{PAGE}/save", text=changed, revision="1")
    page = unescape(answer.content.decode())
    assert "1 problem" in page
    assert 'data-line="5"' in page
    assert "is not one of shop" in page
    assert Manifest.objects.get().text == changed
    answer = post(session, f"{PAGE}/save", text=changed, revision="2", act="publish")
    assert "Not published. The draft has problems." in answer.content.decode()
    assert not ManifestVersion.objects.exists()


def test_a_refused_text_does_not_hide_a_change_by_somebody_else(session: Client) -> None:
    manifest = draft()
    edit(manifest, ("order.received", "order.accepted"))
    answer = post(session, f"{PAGE}/save", text="x" * 200_000, revision="1")
    assert answer.status_code == 422
    assert 'name="revision" value="1"' in answer.content.decode()
    assert post(session, f"{PAGE}/save", text="mine: 1", revision="1").status_code == 409


def test_two_people_see_both_texts(session: Client) -> None:
    manifest = draft()
    edit(manifest, ("order.received", "order.accepted"))
    answer = post(session, f"{PAGE}/save", text="mine: 1", revision="1")
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Yours, not saved" in page
    assert "mine: 1" in page
    assert Manifest.objects.get().text != "mine: 1"
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision
    post(session, f"{PAGE}/save", text="mine: 1", revision=revision[1])
    assert Manifest.objects.get().text == "mine: 1"


def test_samples_are_added_replaced_and_removed(session: Client) -> None:
    manifest = draft()
    other = SAMPLE.replace(b"SO-1", b"SO-2").decode()
    answer = post(session, f"{PAGE}/samples", name="second.json", sample=other)
    assert "SO-2 (order_number@hill_3pl)" in answer.content.decode()
    answer = post(session, f"{PAGE}/samples", name="../x", sample=other)
    assert answer.status_code == 422
    assert "letters, digits" in answer.content.decode()
    answer = post(session, f"{PAGE}/samples", name="third", sample=" ")
    assert "Paste a sample" in answer.content.decode()
    post(session, f"{PAGE}/samples/remove", name="second.json")
    assert list(load_samples(manifest)) == ["order.json"]


def test_publish_connect_and_roll_back(session: Client) -> None:
    manifest = draft()
    answer = post(
        session, f"{PAGE}/save", text=manifest.text, revision="1", act="publish", note="First"
    )
    assert "Version 1 is live" in answer.content.decode()
    assert f'href="/sources/new/{SLUG}"' in text(session, "/sources/new?q=hill")
    form = f"/sources/new/{SLUG}"
    answer = post(session, form, form, slug="north", secret="a-secret-of-24-bytes-and-more")
    page = unescape(answer.content.decode())
    assert "Send the secret as a bearer token" in page
    assert "-H 'authorization: Bearer a-secret-of-24-bytes-and-more'" in page
    assert '-H "authorization: Bearer $SECRET"' in text(session, "/sources/north?tab=settings")
    edit(manifest, ("title: Hill 3Pl", "title: Hill logistics"))
    page = text(session)
    assert "1 source uses it" in page
    assert "the draft has changes" in page
    assert connectors_by_slug()[SLUG].title == "Hill 3Pl"
    post(session, f"{PAGE}/save", text=Manifest.objects.get().text, revision="2", act="publish")
    assert connectors_by_slug()[SLUG].title == "Hill logistics"
    assert "Hill logistics" in text(session, f"{PAGE}/versions/2")
    answer = post(session, f"{PAGE}/rollback", version="1", note="Wrong title")
    page = unescape(answer.content.decode())
    assert "Version 3 is live, with the text of version 1" in page
    assert "rolled back to version 1: Wrong title" in page
    assert connectors_by_slug()[SLUG].title == "Hill 3Pl"
    answer = post(session, f"{PAGE}/rollback", version="3")
    assert "Not rolled back." in answer.content.decode()
    entries = AuditEntry.objects.filter(object=f"manifest {SLUG}").order_by("id")
    assert [(e.action, e.user.username if e.user else "") for e in entries][-1] == (
        "manifest.rolled_back",
        "ines",
    )
    assert entries.last().detail["restored"] == 1  # type: ignore[union-attr]


def test_a_comparison_without_a_result_reassures_nobody(
    session: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = draft()
    publish(manifest)
    message(create_source("north", connector=SLUG), body=SAMPLE)
    monkeypatch.setattr(compare_readings, "run_in_own_process", lambda *_: ([b""], True))
    page = text(session, f"{PAGE}/compare?source=north")
    assert "Reading the newest message took too long." in page
    assert "as they are read today" not in page


def test_the_draft_is_compared_with_todays_reading(session: Client) -> None:
    manifest = draft()
    publish(manifest)
    source = create_source("north", connector=SLUG)
    read = message(source, body=SAMPLE)
    other = message(source, body=SAMPLE.replace(b'"open"', b'"closed"'))
    broken = message(source, body=SAMPLE.replace(b"qty", b"quantity"))
    torn = message(source, body=b'{"order_no": ')
    edited = edit(
        manifest,
        ("{status: [open]}", "{status: [open, closed]}"),
        ("status: [open]", "status: [open, closed]"),
        ("ordered: qty", "ordered: {first: [quantity, qty]}"),
    )
    page = text(session, f"{PAGE}/compare?source=north")
    assert "4 of the newest messages" in page
    comparison = compare_readings.compare_readings(edited, source)
    assert comparison.problem == ""
    rows = {row.message_id: row for row in comparison.differing}
    assert set(rows) == {other, broken}
    assert rows[other].today_types == ["unmapped"]
    assert rows[other].draft_types == ["order.received"]
    [change] = rows[broken].changes
    assert (change.what, [name for name, *_ in change.fields]) == (
        "changed",
        ["lines[0].quantities.ordered"],
    )
    assert (comparison.changed, comparison.same) == (2, 2)
    assert ("order.received", 2, 3) in comparison.types
    assert {read, torn}.isdisjoint(rows)
    narrower = edit(edited, ("order_no}", "missing}"))
    comparison = compare_readings.compare_readings(narrower, source)
    assert (comparison.newly_parked, comparison.newly_read) == (3, 0)
    publish_text = Manifest.objects.get().text.replace(
        "gives: [order.received]", "parked: no number"
    )
    edit(narrower, (narrower.text, publish_text))
    publish(Manifest.objects.get())
    comparison = compare_readings.compare_readings(edited, source)
    assert (comparison.newly_parked, comparison.newly_read) == (0, 3)
    assert not Event.objects.exists()
    assert AuditEntry.objects.filter(action="manifest.compared").count() == 1


def test_a_comparison_says_why_it_cannot_run(session: Client) -> None:
    manifest = draft()
    create_source("north", connector="shopify")
    assert "has no messages with a stored body" in text(session, f"{PAGE}/compare?source=north")
    edit(manifest, ("role: other", "role: boss"))
    assert "The draft has problems" in text(session, f"{PAGE}/compare?source=north")
    assert session.get(f"{PAGE}/compare?source=nobody").status_code == 404


def test_only_drafts_are_deleted(session: Client) -> None:
    publish(draft())
    assert "Delete draft" not in text(session)
    answer = post(session, f"{PAGE}/delete")
    assert "cannot be deleted" in answer.content.decode()
    draft("other_3pl")
    post(session, "/manifests/other_3pl/delete")
    assert list(Manifest.objects.values_list("slug", flat=True)) == [SLUG]


def test_a_draft_that_somebody_else_changed_is_not_deleted(session: Client) -> None:
    draft()
    reader = FormReader("delete-form")
    reader.feed(session.get(PAGE).content.decode())
    post(session, f"{PAGE}/save", text="title: Theirs", revision="1")
    refused = post(session, reader.action, **reader.values)
    assert "Somebody else changed the draft meanwhile." in refused.content.decode()
    reader.feed(refused.content.decode())
    post(session, reader.action, **reader.values)
    assert not Manifest.objects.exists()


def test_lists_have_pages(session: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    published_manifest()
    draft("second_3pl")
    monkeypatch.setattr("visibility.screens.manifests.queries.PAGE_SIZE", 1)
    monkeypatch.setattr("visibility.screens.manifests.queries.HISTORY_SIZE", 1)
    page = text(session, "/manifests")
    assert "Version 2 is live, the draft has changes" in page
    assert "second_3pl" not in page
    assert "second_3pl" in text(session, f"/manifests?after={SLUG}")
    assert f'href="{PAGE}?before=2#versions-head"' in text(session)
    assert f'href="{PAGE}/versions/1"' in text(session, f"{PAGE}?before=2")


@pytest.mark.parametrize("role", [UserRole.OPERATIONS, UserRole.CUSTOMER_SERVICE])
def test_only_those_who_edit_sources_open_manifests(role: UserRole) -> None:
    published_manifest()
    create_source("north", connector=SLUG)
    client = signed_in(role)
    for url in ("/manifests", "/manifests/new", PAGE, f"{PAGE}/versions/1"):
        assert client.get(url).status_code == 403, url
    for url in ("save", "samples", "samples/remove", "rollback", "delete"):
        assert client.post(f"{PAGE}/{url}", {"version": "1"}).status_code == 403, url
    assert client.get(f"{PAGE}/compare?source=north").status_code == 403
    assert ManifestVersion.objects.count() == 2


def test_the_api_does_what_the_pages_do(integrator: Client) -> None:
    created = send(integrator, "/api/v1/manifests", slug=SLUG, sample=SAMPLE.decode())
    assert created.status_code == 201
    assert created.json()["samples"] == [{"name": "sample", "bytes": len(SAMPLE)}]
    manifest_text = created.json()["text"]
    broken = manifest_text.replace("role: other", "role: boss")
    check = send(integrator, f"{API}/check", text=broken).json()
    assert (check["can_be_published"], check["problems"][0]["line"]) == (False, 5)
    assert send(integrator, f"{API}/check").json()["readings"][0]["event_count"] == 1
    changed = send(integrator, API, "patch", text=broken, revision=1)
    assert changed.json()["revision"] == 2
    assert send(integrator, API, "patch", text="x", revision=1).status_code == 409
    answer = send(integrator, f"{API}/publish")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "line 5: role"
    send(integrator, API, "patch", text=manifest_text)
    version = send(integrator, f"{API}/publish", note="First").json()
    assert (version["number"], version["note"]) == (1, "First")
    assert integrator.get(API).json()["live_version"] == 1
    send(integrator, API, "patch", text=manifest_text.replace("Hill 3Pl", "Hill"))
    assert send(integrator, f"{API}/publish", revision=3).status_code == 409
    assert send(integrator, f"{API}/publish").json()["number"] == 2
    assert send(integrator, f"{API}/rollback", version=9).status_code == 400
    restored = send(integrator, f"{API}/rollback", version=1).json()
    assert (restored["number"], restored["restored_version"]) == (3, 1)
    numbers = [v["number"] for v in integrator.get(f"{API}/versions").json()["items"]]
    assert numbers == [3, 2, 1]
    sample = send(integrator, f"{API}/samples", name="b.json", sample=SAMPLE.decode())
    assert [s["name"] for s in sample.json()["samples"]] == ["b.json", "sample"]
    assert send(integrator, f"{API}/samples/b.json", "delete").status_code == 200
    assert send(integrator, f"{API}/samples/b.json", "delete").status_code == 404
    assert send(integrator, API, "delete").status_code == 409
    source = create_source("north", connector=SLUG)
    message(source, body=SAMPLE)
    compared = send(integrator, f"{API}/compare", source="north").json()
    assert (compared["problem"], compared["same"]) == ("", 1)
    listed = integrator.get("/api/v1/manifests?page_size=1").json()
    assert [item["slug"] for item in listed["items"]] == [SLUG]


def test_the_api_refuses_unusable_input_with_fields(integrator: Client) -> None:
    answer = send(integrator, "/api/v1/manifests", slug="shopify", copy_of="nothing")
    assert answer.status_code == 400
    assert {error["path"] for error in answer.json()["errors"]} == {"slug", "copy_of"}
    answer = send(integrator, "/api/v1/manifests", slug=SLUG, sample="x" * 700_000)
    assert answer.status_code == 413
    answer = send(integrator, "/api/v1/manifests", slug=SLUG, sample="x" * 262_145)
    assert answer.status_code == 400
    assert send(integrator, f"{API}/check").status_code == 404
