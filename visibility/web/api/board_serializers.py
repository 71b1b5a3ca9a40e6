"""Responses and request bodies of boards, their tiles, and links for wall screens."""

from rest_framework import serializers

from visibility.boards.check_tiles import MAX_TILES
from visibility.models import BoardSharing
from visibility.web.api.common_serializers import EnumField, PermissionFilteredSerializer
from visibility.web.api.problem_responses import ConflictError
from visibility.web.api.request_body_serializers import RequestBody
from visibility.web.api.subscription_serializers import ChannelSettingSerializer
from visibility.web.permissions import Permission
from visibility.web.screen_links import DEFAULT_DAYS, DEFAULT_SECONDS


class BoardVersionConflict(ConflictError):
    """Someone else has changed the board."""

    def __init__(self) -> None:
        super().__init__("The board was changed since this version. Read it again.")


class TileSerializer(PermissionFilteredSerializer):
    """A tile that boards can have. Who lacks `permission` does not get its data."""

    code = serializers.CharField()
    title = serializers.CharField()
    permission = EnumField(Permission)
    settings = ChannelSettingSerializer(many=True)


class TileListSerializer(PermissionFilteredSerializer):
    """All tiles. `common_settings` are those of every tile."""

    items = TileSerializer(many=True)
    common_settings = ChannelSettingSerializer(many=True)


class BoardTitleSerializer(PermissionFilteredSerializer):
    """A board."""

    slug = serializers.CharField()
    title = serializers.CharField()


class BoardListSerializer(PermissionFilteredSerializer):
    """The boards that the user sees."""

    items = BoardTitleSerializer(many=True)


class BoardSerializer(BoardTitleSerializer):
    """A board with the entries of the tiles that the user may see. It has no data of tiles.

    `filters` limits it to a warehouse, a channel or a customer group. `sharing`: who sees it.
    `version` grows with each change; 0 is the built-in operations board.
    """

    tiles = serializers.ListField(child=serializers.DictField())
    filters = serializers.DictField(child=serializers.CharField())
    sharing = EnumField(BoardSharing)
    team = serializers.CharField(allow_null=True)
    owner = serializers.CharField(allow_null=True)
    version = serializers.IntegerField()


class BoardFiltersBody(RequestBody):
    """The orders that a board is limited to; what is missing is not limited."""

    warehouse = serializers.CharField(max_length=100, required=False, allow_blank=True)
    channel = serializers.CharField(max_length=100, required=False, allow_blank=True)
    group = serializers.CharField(max_length=100, required=False, allow_blank=True)


class BoardBody(RequestBody):
    """A board. Each tile has `tile`, optionally `title` and `width`, and its own settings.

    `filters`, `sharing` and `team` (its slug) stay as they are if they are missing. With `version`,
    a board that was changed meanwhile is refused (409).
    """

    title = serializers.CharField(max_length=120)
    tiles = serializers.ListField(child=serializers.DictField(), max_length=MAX_TILES)
    filters = BoardFiltersBody(required=False)
    sharing = EnumField(BoardSharing, required=False)
    team = serializers.CharField(max_length=60, required=False)
    version = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)


class BoardCopyBody(RequestBody):
    """The title of the copy, which only the user sees."""

    title = serializers.CharField(max_length=120)


class StartPageSerializer(PermissionFilteredSerializer):
    """The board that the user starts on; null: the page of the role."""

    board = serializers.CharField(allow_null=True)


class StartPageBody(RequestBody):
    """The slug of the board to start on, or null."""

    board = serializers.CharField(max_length=50, allow_null=True)


class ScreenLinkSerializer(PermissionFilteredSerializer):
    """A link for wall screens. `path` opens its boards without sign-in until `expires_at`."""

    id = serializers.IntegerField(source="pk")
    title = serializers.CharField()
    boards = serializers.ListField(child=serializers.CharField())
    every = serializers.IntegerField()
    path = serializers.CharField()
    created_by = serializers.CharField(source="created_by.username")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class ScreenLinkListSerializer(PermissionFilteredSerializer):
    """The newest links, also expired and revoked ones."""

    items = ScreenLinkSerializer(many=True)


class ScreenLinkBody(RequestBody):
    """A link: where the screen is, the boards in order, days valid, and seconds per board."""

    title = serializers.CharField(max_length=120)
    boards = serializers.ListField(child=serializers.CharField(max_length=50), max_length=20)
    days = serializers.IntegerField(default=DEFAULT_DAYS, min_value=1, max_value=366)
    every = serializers.IntegerField(default=DEFAULT_SECONDS, min_value=10, max_value=3600)
