"""Union-find over object ids: those named together are one."""

from collections.abc import Sequence


class Clusters:
    """Ids below zero stand for objects that do not exist yet."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def root(self, member: int) -> int:
        """The id that stands for all that were joined."""
        while (above := self._parent.setdefault(member, member)) != member:
            member = above
        return member

    def join(self, members: Sequence[int]) -> None:
        """They are one; real objects stand for new ones."""
        roots = sorted({self.root(m) for m in members}, key=lambda m: (m < 0, abs(m)))
        for other in roots[1:]:
            self._parent[other] = roots[0]

    def members(self) -> list[int]:
        """Everything that was named."""
        return sorted(self._parent)
