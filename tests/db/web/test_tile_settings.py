"""Settings and permissions of tiles, on the page of a board and in the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.boards.tile_registry import tile_registry
from visibility.models import AuditEntry, Board
from visibility.models.permission import Permission
from visibility.web import permissions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
BOARD = "/boards/dock"
API = "/api/v1/boards/dock"


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Callable[[Permission], None]:
    """Takes a permission away from every role."""

    def take(permission: Permission) -> None:
        granted = {**permissions.ROLE_PERMISSIONS, permission: frozenset[UserRole]()}
        monkeypatch.setattr(permissions, "ROLE_PERMISSIONS", granted)

    return take


def show(client: Client, *tiles: dict[str, Any], address: str = BOARD) -> str:
    Board.objects.update_or_create(slug="dock", defaults={"title": "Dock", "tiles": list(tiles)})
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_settings_change_what_a_tile_shows(ops: Client) -> None:
    for number in range(4):
        alert(f"SO-{number}")
        create_source(f"wms{number}")
    text = show(ops, {"tile": "top_alerts", "limit": 3, "title": "Worst <b>three"})
    assert text.count('class="tile-line"') == 3
    assert "Worst &lt;b&gt;three" in text
    assert "Top alerts" not in text
    assert show(ops, {"tile": "top_alerts"}).count('class="tile-line"') == 4
    assert show(ops, {"tile": "source_health", "limit": "2"}).count('class="feed-title"') == 2
    assert "in the last 2 hours" in show(ops, {"tile": "notable_events", "hours": 2})
    kpi = show(ops, {"tile": "kpi_number", "kpi": "on_time", "days": 7})
    assert "Last 7 days" in kpi


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"tile": "top_alerts", "color": "red"}, "color: This tile has no setting"),
        ({"tile": "top_alerts", "limit": 0}, "limit: 0 is less than 1."),
        ({"tile": "top_alerts", "limit": 10**9}, "limit: 1000000000 is more than 20."),
        ({"tile": "top_alerts", "limit": "many"}, "is not a whole number."),
        ({"tile": "top_alerts", "limit": [5]}, "limit: The value must be a text, a number"),
        ({"tile": "top_alerts", "limit": None}, "limit: The value must be a text, a number"),
        ({"tile": "top_alerts", "title": "x" * 99}, "title: The title is longer than 80"),
        ({"tile": "key_figures", "width": 5}, "width: 5 is more than 4."),
        ({"tile": "notable_events", "hours": -1}, "hours: -1 is less than 1."),
        ({"tile": "kpi_number", "kpi": ""}, "kpi: The value must be a text, a number"),
        ({"tile": "kpi_number", "days": 1.5}, "days: &#x27;1.5&#x27; is not a whole number."),
        ({"tile": "source_health", "limit": True}, "is not a whole number."),
    ],
)
def test_invalid_setting_is_shown_in_place_and_the_board_goes_on(
    ops: Client, entry: dict[str, Any], sentence: str
) -> None:
    for address in (BOARD, f"{BOARD}?kiosk=1"):
        text = show(ops, entry, {"tile": "order_funnel"}, address=address)
        assert "Invalid setting of this tile." in text
        assert sentence in text
        assert "Picking" in text
        assert "could not be loaded" not in text


def test_api_refuses_the_same_settings_with_their_place(ops: Client) -> None:
    tiles = [
        {"tile": "order_funnel"},
        {"tile": "top_alerts", "limit": 99, "color": "red"},
        {"tile": "planet"},
    ]
    answer = ops.put(API, {"title": "Dock", "tiles": tiles}, "application/json")
    assert answer.status_code == 400
    paths = [error["path"] for error in answer.json()["errors"]]
    assert sorted(paths) == ["tiles.1.color", "tiles.1.limit", "tiles.2.tile"]
    assert not Board.objects.exists()


def test_saved_board_is_shown_and_audited() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of_role(UserRole.OPERATIONS))
    body = {"title": "Dock", "tiles": [{"tile": "top_alerts", "limit": 2, "width": 1}]}
    assert strict.put(API, body, "application/json").status_code == 403
    strict.get("/orders")
    token = {"X-CSRFToken": strict.cookies["csrftoken"].value}
    answer = strict.put(API, body, "application/json", headers=token)
    assert answer.status_code == 200
    assert answer.json() == strict.get(API).json()
    assert answer.json().items() >= {"slug": "dock", **body, "sharing": "all", "version": 1}.items()
    assert "tile-w1 tile-top_alerts" in strict.get(BOARD).content.decode()
    assert {"slug": "dock", "title": "Dock"} in strict.get("/api/v1/boards").json()["items"]
    entry = AuditEntry.objects.get(action="board.saved")
    assert (entry.object, entry.detail["tiles"]) == ("board dock", ["top_alerts"])
    reader = signed_in(UserRole.EXECUTIVE)
    assert reader.put(API, body, "application/json").status_code == 403


def test_tiles_describe_their_settings(ops: Client) -> None:
    content = ops.get("/api/v1/tiles").json()
    tiles = {tile["code"]: tile for tile in content["items"]}
    assert set(tiles) == set(tile_registry())
    assert [s["name"] for s in tiles["kpi_number"]["settings"]] == ["kpi", "days", "compare"]
    assert tiles["kpi_number"]["permission"] == "kpis"
    assert [s["name"] for s in content["common_settings"]] == ["title", "width"]


@pytest.mark.parametrize("code", sorted(tile_registry()))
def test_user_without_the_permission_gets_neither_data_nor_a_live_tile(
    code: str,
    ops: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = tile_registry()[code]
    monkeypatch.setattr(kind, "permission", Permission.ADMINISTER)

    def load(self: object, now: object) -> None:
        raise AssertionError("the data of the tile was read")

    monkeypatch.setattr(kind, "load_context", load)
    text = show(ops, {"tile": code, "color": "red"})
    assert "Your role does not include this tile." in text
    assert "Invalid setting" not in text
    assert 'data-live-every="1000"' not in text
    assert ops.get(API).json()["tiles"] == []


def test_permission_decides_about_real_data(
    deny: Callable[[Permission], None],
) -> None:
    alert(of=order("SO-77"), title="Late for Quist")
    client = signed_in(UserRole.OPERATIONS, "nina")
    assert "SO-77" in show(client, {"tile": "top_alerts"})
    deny(Permission.ALERTS_SEE)
    text = show(client, {"tile": "top_alerts"}, {"tile": "order_funnel"})
    assert "SO-77" not in text
    assert "Late for Quist" not in text
    assert "Your role does not include this tile." in text
    assert "Picking" in text
    assert [t["tile"] for t in client.get(API).json()["tiles"]] == ["order_funnel"]
