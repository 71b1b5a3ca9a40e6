"""Arrange, share, duplicate and delete boards, by form and over the API; links for screens."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver

from tests.builders.alerts import alert, order
from tests.builders.users import create_user, signed_in, user_of_role
from tests.db.web.api.test_every_address_with_hostile_values import addresses
from visibility.boards.check_tiles import MAX_TILES
from visibility.boards.stored_boards import StoredBoard
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, Board, ScreenLink
from visibility.models.teams import Team
from visibility.web import board_changes
from visibility.web.author import Author
from visibility.web.board_changes import (
    BoardChanged,
    InvalidBoard,
)
from visibility.web.permissions import UserRole
from visibility.web.screen_links import screen_link_path

pytestmark = pytest.mark.django_db
BOARD = "/boards/operations"
TILES = [
    *("key_figures", "order_funnel", "cut_offs", "top_alerts"),
    *("source_health", "notable_events", "message_rate"),
]


class FormClient(Client):
    """A client that checks CSRF tokens, signed in; its forms have the token."""

    def __init__(self, user: User) -> None:
        super().__init__(enforce_csrf_checks=True)
        self.force_login(user)
        self.get("/boards/operations?arrange=1")
        self.token = self.cookies["csrftoken"].value

    def send(self, address: str, **form: Any) -> Any:
        return self.post(address, {"csrfmiddlewaretoken": self.token, **form})

    def call(self, method: str, address: str, body: Any = None) -> Any:
        return getattr(self, method)(
            f"/api/v1/{address}",
            {} if body is None else body,
            "application/json",
            headers={"X-CSRFToken": self.token},
        )


@pytest.fixture
def ops() -> FormClient:
    return FormClient(user_of_role(UserRole.OPERATIONS))


def tiles_of(slug: str = "operations") -> list[str]:
    return [entry["tile"] for entry in Board.objects.get(slug=slug).tiles]


def test_tiles_are_moved_resized_removed_and_added_by_buttons(ops: FormClient) -> None:
    assert ops.post(f"{BOARD}/arrange", {"do": "up", "tile": 2}).status_code == 403
    for version, (do, tile, code) in enumerate(
        [
            ("up", 2, "cut_offs"),
            ("narrower", 1, "cut_offs"),
            ("remove", 6, "message_rate"),
            ("add", 0, "kpi_number"),
            ("down", 5, "notable_events"),
        ]
    ):
        answer = ops.send(f"{BOARD}/arrange", do=do, tile=tile, code=code, version=version)
        assert answer.status_code == 302
    assert tiles_of() == [
        *("key_figures", "cut_offs", "order_funnel", "top_alerts"),
        *("source_health", "kpi_number", "notable_events"),
    ]
    assert Board.objects.get().tiles[1] == {"tile": "cut_offs", "width": 1}
    assert AuditEntry.objects.filter(action="board.saved", object="board operations").count() == 5
    page = ops.get(f"{BOARD}?arrange=1&tile=6&did=down").content.decode()
    focused = re.findall(r'value="(\w+)" autofocus>[^<]*<span[^>]*> ([^<]+)<', page)
    assert focused == [("down", "Recent events")]


def test_arranging_needs_the_permission_and_a_change_in_between_is_refused(
    ops: FormClient,
) -> None:
    clerk = FormClient(user_of_role(UserRole.CUSTOMER_SERVICE))
    assert clerk.send(f"{BOARD}/arrange", do="up", tile=2).status_code == 403
    assert "Arrange this board" not in clerk.get(f"{BOARD}?arrange=1").content.decode()
    ops.send(f"{BOARD}/arrange", do="up", tile=2, version=0)
    answer: Any = ops.send(f"{BOARD}/arrange", do="remove", tile=0, version=0)
    assert (
        "Someone else has changed this board"
        in ops.get(answer.headers["location"]).content.decode()
    )
    assert len(tiles_of()) == len(TILES)
    body = {"title": "X", "tiles": [], "version": 0}
    assert ops.call("put", "boards/operations", body).status_code == 409


def test_built_in_board_is_duplicated_and_restored_but_never_destroyed(ops: FormClient) -> None:
    ops.send(f"{BOARD}/arrange", do="remove", tile=0, version=0)
    answer: Any = ops.send(f"{BOARD}/duplicate", title="My dock")
    assert answer.headers["location"] == "/boards/my-dock?arrange=1"
    assert tiles_of("my-dock") == TILES[1:]
    ops.send(f"{BOARD}/delete")
    assert ops.get("/api/v1/boards/operations").json()["tiles"][0]["tile"] == "key_figures"
    sharing = {"title": "Operations", "tiles": [], "sharing": "own"}
    assert ops.call("put", "boards/operations", sharing).status_code == 400
    assert ops.call("delete", "boards/operations").status_code == 200
    assert ops.get(BOARD).status_code == 200
    ops.send("/boards/my-dock/delete")
    assert ops.get("/boards/my-dock").status_code == 404
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert actions >= {"board.duplicated", "board.restored", "board.deleted"}


def test_board_is_seen_by_its_owner_its_team_or_everyone(ops: FormClient) -> None:
    member, other = create_user(UserRole.EXECUTIVE, "mia"), create_user(UserRole.EXECUTIVE, "ole")
    Team.objects.create(slug="dock", title="Dock").members.add(member)
    slug = ops.call("post", "boards/operations/duplicate", {"title": "Dock"}).json()["slug"]
    seen: list[tuple[int, int]] = []
    clients = [Client(), Client()]
    clients[0].force_login(member)
    clients[1].force_login(other)
    for sharing in ("own", "team", "all"):
        form = {"title": "Dock", "sharing": sharing, "team": "dock", "warehouse": ""}
        ops.send(f"/boards/{slug}/settings", **form)
        assert ops.get(f"/boards/{slug}").status_code == 200
        first, second = (client.get(f"/boards/{slug}").status_code for client in clients)
        seen.append((first, second))
        for client, status in zip(clients, (first, second), strict=True):
            listed = f"/boards/{slug}" in client.get(BOARD).content.decode()
            assert listed is (status == 200)
            assert client.get(f"/api/v1/boards/{slug}").status_code == status
    assert seen == [(404, 404), (200, 404), (200, 200)]


def test_filter_limits_the_numbers_and_the_other_tiles_say_that_they_are_not_limited(
    ops: FormClient,
) -> None:
    for number, warehouse in (("SO-1", "Dallas"), ("SO-2", "Reno"), ("SO-3", "Reno")):
        alert(of=order(number, warehouse=warehouse))
    ops.send(f"{BOARD}/settings", title="Reno", warehouse="Reno", version=0)
    page = " ".join(ops.get(BOARD).content.decode().split())
    assert 'data-mark="now-open">2<' in page
    assert 'data-mark="now-unowned">2<' in page
    assert "/orders?open=1&amp;warehouse=Reno" in page
    assert "SO-1" not in page
    assert page.count("not limited to Reno") == 2
    listed = ops.get("/alerts?view=team&warehouse=Reno&by=one").content.decode()
    assert ("SO-2" in listed, "SO-1" in listed) == (True, False)


def test_start_page_is_set_by_form_and_over_the_api(ops: FormClient) -> None:
    assert ops.get("/").headers["location"] == "/alerts"
    ops.send(f"{BOARD}/start", on="1")
    assert ops.get("/").headers["location"] == BOARD
    assert ops.call("put", "start-page", {"board": None}).json() == {"board": None}
    assert ops.get("/").headers["location"] == "/alerts"
    assert ops.call("put", "start-page", {"board": "nowhere"}).status_code == 404


def create_link(ops: FormClient, **body: Any) -> Any:
    wanted = {"title": "Dock 4", "boards": ["operations"]} | body
    return ops.call("post", "screen-links", wanted)


def test_screen_link_shows_its_boards_without_prices_and_names(ops: FormClient) -> None:
    of = order("SO-77", customer_name="Nora Quist")
    alert(of=of, money=77123, owner=create_user(UserRole.OPERATIONS, "olga", first_name="Olga"))
    link = create_link(ops, boards=["operations", "operations"], every=20).json()
    page = Client().get(link["path"])
    assert page.status_code == 200
    text = page.content.decode()
    assert "SO-77" in text
    for hidden in ("77,123", "Nora", "Quist", "Olga", "olga", "csrf", 'href="/orders'):
        assert hidden not in text
    assert f'data-following="{link["path"]}?at=1" data-every="20"' in text
    assert "data-poll" in text
    assert ScreenLink.objects.get().last_used_at is not None


def test_screen_link_is_listed_revoked_expires_and_cannot_be_forged(ops: FormClient) -> None:
    assert (
        ops.send("/screen-links", title="", boards="operations", days=9, every=30).status_code
        == 422
    )
    ops.send("/screen-links", title="Dock 4", boards="operations", days=9, every=30)
    link = ScreenLink.objects.get()
    path = screen_link_path(link)
    assert path in ops.get("/screen-links").content.decode()
    assert [item["path"] for item in ops.get("/api/v1/screen-links").json()["items"]] == [path]
    public = Client()
    assert public.get(path).status_code == 200
    forged = path[:-1] + ("0" if path[-1] != "0" else "1")
    for wrong in (forged, path.replace("-", "9-", 1), "/screens/1", "/screens/" + "9" * 99):
        assert public.get(wrong).status_code == 404
    ScreenLink.objects.update(expires_at=database_now() + timedelta(days=300))
    assert public.get(path).status_code == 404
    ScreenLink.objects.update(expires_at=link.expires_at)
    assert public.get(path).status_code == 200
    ops.send(f"/screen-links/{link.pk}/revoke")
    assert public.get(path).status_code == 404
    assert ops.call("delete", f"screen-links/{link.pk}").json()["revoked_at"]
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get("/screen-links").status_code == 403
    actions = [
        *AuditEntry.objects.filter(action__startswith="screen_link").values_list(
            "action", flat=True
        )
    ]
    assert actions == ["screen_link.created", "screen_link.revoked"]


def test_screen_link_opens_nothing_but_its_page(ops: FormClient) -> None:
    """A browser that opened the link is asked to sign in, or refused, everywhere else."""
    screen = Client()
    path = create_link(ops).json()["path"]
    assert screen.get(path).status_code == 200
    assert screen.cookies == {}
    # Sign-in, health, and the documentation of the API are open without a link as well.
    open_to_all = {"signin", "signin/demo", "signout", "healthz", "readyz", "metrics", "screens"}
    open_to_all |= {"signin/forgot", "signin/passkey", "signin/single-sign-on/saml/metadata"}
    open_to_all |= {f"api/v1/{name}" for name in ("schema", "docs", "event-schemas")}
    open_to_all |= {"schemas", "schemas/v"}
    tried = 0
    for route, _ in addresses(get_resolver().url_patterns):
        if route.split("<")[0].rstrip("/") in open_to_all or route.startswith("hooks/"):
            continue
        address = "/" + re.sub(
            r"<int:\w+>", "1", re.sub(r"<(?:slug|str):\w+>", "operations", route)
        )
        answer: Any = screen.get(address.replace("^", "").replace("$", ""))
        tried += 1
        if answer.status_code == 302:
            # The pages of a second factor lead to the one that asks to sign in.
            location = answer.headers["location"]
            assert location.startswith(("/signin", "/account/second-factor")), address
        else:
            assert answer.status_code in {401, 403, 404, 405}, (address, answer.status_code)
    assert tried > 100
    assert screen.post(path).status_code in {403, 405}


def test_link_to_a_deleted_board_opens_no_later_board_with_its_address(ops: FormClient) -> None:
    board = {"title": "Dock", "tiles": [{"tile": "key_figures"}]}
    ops.call("put", "boards/dock", board)
    only, both = (create_link(ops, boards=b).json() for b in (["dock"], ["dock", "operations"]))
    assert ops.call("delete", "boards/dock").status_code == 200
    ops.call("put", "boards/dock", board | {"title": "Private", "sharing": "own"})
    assert Client().get(only["path"]).status_code == 404
    assert ScreenLink.objects.get(pk=only["id"]).revoked_at
    assert "Private" not in Client().get(both["path"]).content.decode()
    assert ScreenLink.objects.get(pk=both["id"]).boards == ["operations"]
    revoked = AuditEntry.objects.get(action="screen_link.revoked")
    assert revoked.object == f"screen link {only['id']}"


def test_link_loses_a_board_that_becomes_private(ops: FormClient) -> None:
    board = {"title": "Dock", "tiles": []}
    ops.call("put", "boards/dock", board)
    path = create_link(ops, boards=["dock"]).json()["path"]
    assert Client().get(path).status_code == 200
    ops.call("put", "boards/dock", board | {"sharing": "own"})
    assert Client().get(path).status_code == 404
    # Its owner can link it again, knowing that only the owner sees it otherwise.
    path = create_link(ops, boards=["dock"]).json()["path"]
    assert Client().get(path).status_code == 200
    Board.objects.update(owner=user_of_role(UserRole.ADMIN))
    assert Client().get(path).status_code == 404


def test_link_opens_only_while_its_creator_may_create_links(ops: FormClient) -> None:
    path, user = create_link(ops).json()["path"], user_of_role(UserRole.OPERATIONS)
    groups = [*user.groups.all()]
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert Client().get(path).status_code == 404
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert Client().get(path).status_code == 200
    user.groups.clear()
    assert Client().get(path).status_code == 404
    user.groups.set(groups)
    assert Client().get(path).status_code == 200


def test_board_of_a_colleague_is_not_hidden_from_its_editor(ops: FormClient) -> None:
    board: dict[str, Any] = {"title": "Dock", "tiles": []}
    ops.call("put", "boards/dock", board)
    team = Team.objects.create(slug="dock", title="Dock")
    admin = FormClient(user_of_role(UserRole.ADMIN))
    own = admin.call("put", "boards/dock", board | {"sharing": "own"})
    assert own.status_code == 400
    assert "Only its owner" in own.content.decode()
    to_team = board | {"sharing": "team", "team": "dock"}
    assert admin.call("put", "boards/dock", to_team).status_code == 400
    assert Board.objects.get(slug="dock").sharing == "all"
    team.members.add(user_of_role(UserRole.ADMIN))
    assert admin.call("put", "boards/dock", to_team).status_code == 200
    # A change of something else keeps the audience.
    assert admin.call("put", "boards/dock", to_team | {"title": "Dock 4"}).status_code == 200
    Board.objects.create(slug="nobody", title="Nobody", owner=None)
    assert admin.call("put", "boards/nobody", board | {"sharing": "own"}).status_code == 200


def by_ops() -> Author:
    return Author(user_of_role(UserRole.OPERATIONS), database_now())


def test_first_change_that_someone_else_makes_meanwhile_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def renamed_meanwhile(board: StoredBoard) -> StoredBoard:
        Board.objects.create(slug="operations", title="Theirs")
        return replace(board, title="Mine")

    with pytest.raises(BoardChanged):
        board_changes.change_board("operations", renamed_meanwhile, by=by_ops(), version=0)
    assert not Board.objects.exists()  # neither, as both were in one transaction here

    def errors_meanwhile(board: StoredBoard, before: StoredBoard | None) -> list[Any]:
        Board.objects.create(slug=board.slug, title="Theirs")
        return []

    monkeypatch.setattr(board_changes, "_board_errors", errors_meanwhile)
    with pytest.raises(InvalidBoard, match="There is a board with this address already"):
        board_changes.create_board(StoredBoard("dock", "Mine", ()), by=by_ops())


def test_change_of_a_version_that_is_gone_is_refused() -> None:
    Board.objects.create(slug="dock", title="Dock")

    def renamed_meanwhile(board: StoredBoard) -> StoredBoard:
        Board.objects.update(title="Theirs", version=2)
        return replace(board, title="Mine")

    with pytest.raises(BoardChanged):
        board_changes.change_board("dock", renamed_meanwhile, by=by_ops())


def test_board_does_not_grow_beyond_the_limit_with_repeated_tiles(ops: FormClient) -> None:
    Board.objects.create(slug="dock", title="Dock", tiles=[{"tile": "kpi_number"}] * MAX_TILES)
    ops.send("/boards/dock/arrange", do="add", code="kpi_number", version=1)
    assert len(tiles_of("dock")) == MAX_TILES
    assert f"at most {MAX_TILES} tiles" in ops.get("/boards/dock").content.decode()
    ops.send("/boards/dock/arrange", do="up", tile=1, version=1)
    ops.send("/boards/dock/arrange", do="wider", tile=1, version=1)
    assert len(tiles_of("dock")) == MAX_TILES
