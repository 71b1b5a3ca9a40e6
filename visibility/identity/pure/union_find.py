"""Union-find over object ids: objects that are named together form one set."""

from collections.abc import Sequence


class DisjointSets:
    """Disjoint sets of object ids. A negative id represents an object that does not exist yet."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def root(self, member: int) -> int:
        """Return the representative of the set of this id."""
        while (parent := self._parent.setdefault(member, member)) != member:
            member = parent
        return member

    def join(self, members: Sequence[int]) -> None:
        """Join the sets of these ids. Existing objects become representatives before new ones."""
        roots = sorted({self.root(m) for m in members}, key=lambda m: (m < 0, abs(m)))
        for other in roots[1:]:
            self._parent[other] = roots[0]

    def all_members(self) -> list[int]:
        """Return all ids, sorted."""
        return sorted(self._parent)
