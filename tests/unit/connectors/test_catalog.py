"""Manifests of people: found, reloaded, and never able to stop the others."""

import os
from pathlib import Path

import pytest

from connectors import catalog
from connectors.catalog import shipped_connectors
from connectors.sdk.manifest.folder import ManifestFolder
from connectors.sdk.manifest.problems import ManifestProblem
from tests.unit.connectors.sdk.manifest.samples import VALID


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the folder after the test, and look at it at every call."""
    monkeypatch.setattr(catalog, "_own", {})
    monkeypatch.setattr(catalog, "_refreshed_at", {})
    monkeypatch.setattr(catalog, "REFRESH_SECONDS", 0.0)


def write(folder: Path, name: str, text: str, *, second: int = 0) -> None:
    (folder / name).write_text(text)
    os.utime(folder / name, (second, second))


def test_own_manifests_are_connectors_and_changes_are_noticed(tmp_path: Path) -> None:
    catalog.use_own_manifests(tmp_path, list)
    assert set(catalog.connectors_by_slug()) == set(catalog.shipped_connectors())
    write(tmp_path, "sample.yaml", VALID)
    assert catalog.connectors_by_slug()["sample"].title == "Sample"
    write(tmp_path, "sample.yaml", VALID.replace("title: Sample", "title: Other"), second=9)
    assert catalog.connectors_by_slug()["sample"].title == "Other"
    (tmp_path / "sample.yaml").unlink()
    assert "sample" not in catalog.connectors_by_slug()


def test_broken_manifests_are_reported_and_the_others_work(tmp_path: Path) -> None:
    reported: list[ManifestProblem] = []
    write(tmp_path, "sample.yaml", VALID)
    write(tmp_path, "broken.yaml", "connector: [")
    write(tmp_path, "renamed.yaml", VALID)
    write(tmp_path, "shopify.yaml", VALID.replace("connector: sample", "connector: shopify"))
    write(tmp_path, "binary.yaml", "")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\0")
    write(tmp_path, "notes.txt", "not a manifest")
    catalog.use_own_manifests(tmp_path, reported.extend)
    assert "sample" in catalog.connectors_by_slug()
    assert catalog.connectors_by_slug()["shopify"] is catalog.shipped_connectors()["shopify"]
    by_file = {Path(problem.file).name: problem.sentence for problem in reported}
    assert set(by_file) == {"broken.yaml", "renamed.yaml", "shopify.yaml", "binary.yaml"}
    assert "the file is 'renamed.yaml'" in by_file["renamed.yaml"]
    assert "a shipped connector has the name" in by_file["shopify.yaml"]
    assert catalog.own_manifest_problems() == tuple(reported)


def test_a_manifest_that_becomes_invalid_keeps_its_last_version(tmp_path: Path) -> None:
    folder = ManifestFolder(tmp_path)
    write(tmp_path, "sample.yaml", VALID)
    folder.refresh()
    write(tmp_path, "sample.yaml", VALID.replace("role: erp", "role: boss"), second=9)
    folder.refresh()
    assert folder.connectors["sample"].title == "Sample"
    assert [problem.line for problem in folder.problems] == [5]
    write(tmp_path, "sample.yaml", VALID, second=18)
    folder.refresh()
    assert not folder.problems


def test_a_missing_folder_is_empty(tmp_path: Path) -> None:
    catalog.use_own_manifests(tmp_path / "missing", list)
    assert set(catalog.connectors_by_slug()) == set(catalog.shipped_connectors())
    assert not catalog.own_manifest_problems()


@pytest.mark.parametrize(
    "lines",
    [
        'title: "\\UFFFFFFFF"',
        'title: Acme\nsettings: {wait: {type: duration, default: 5 min, minimum: "1", help: x}}',
    ],
)
def test_file_that_cannot_be_loaded_hides_no_other_connector(tmp_path: Path, lines: str) -> None:
    (tmp_path / "acme.yaml").write_text(f"connector: acme\nversion: 1\n{lines}\n")
    folder = ManifestFolder(tmp_path, reserved=shipped_connectors())
    assert not folder.connectors
    folder.refresh()
    assert folder.problems
    assert not folder.connectors
