"""Union-find over the generations of numbers: joins what is equal, and not what is separated."""

from collections.abc import Collection

from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey, is_exclusive

# One generation of a reused number: the key, and the index of the generation, from 0.
Generation = tuple[IdentifierKey, int]
# (object kind, scheme, issuer) of a number that an object has once.
NumberRange = tuple[str, str, str]
ExclusiveNumbers = dict[NumberRange, frozenset[str]]


class ConstrainedUnionFind:
    """Does not join what a decision separates, or what has two exclusive numbers of one issuer."""

    def __init__(self) -> None:
        self._parent: dict[Generation, Generation] = {}
        self._labels: dict[Generation, set[tuple[int, int]]] = {}
        self._decided: set[Generation] = set()
        self._numbers: dict[Generation, ExclusiveNumbers] = {}

    def root(self, generation: Generation) -> Generation:
        """Return the representative of the set of a generation."""
        top = generation
        while (parent := self._parent.get(top, top)) != top:
            top = parent
        while (parent := self._parent.get(generation, generation)) != top:
            self._parent[generation] = top
            generation = parent
        return top

    def add_side_of_separating_decision(
        self, generation: Generation, label: tuple[int, int]
    ) -> None:
        """Separate this generation from all with the other side of the same (decision, side)."""
        self._labels.setdefault(self.root(generation), set()).add(label)
        self._decided.add(generation)

    def is_named_by_decision(self, generation: Generation) -> bool:
        """Whether a person decided to which object this very number belongs."""
        return generation in self._decided

    def is_split_off_by_decision(self, generation: Generation) -> bool:
        """Whether a decision separated it from its former object."""
        return any(side for _, side in self._labels.get(self.root(generation), ()))

    def any_two_sets_have_number_conflict(
        self, roots: Collection[Generation], *, outside: Generation
    ) -> bool:
        """Whether two of these sets have different numbers of one issuer.

        Sets that a decision separates anyway do not count, and neither do the numbers of the same
        range as `outside`.
        """
        kind, scheme, issuer, _ = outside[0]
        by_range: dict[NumberRange, list[Generation]] = {}
        for root in sorted(roots):
            for number_range in self._exclusive_numbers(root):
                if number_range != (kind, scheme, issuer):
                    by_range.setdefault(number_range, []).append(root)
        return any(
            not self.is_separated_by_decision(a, b)
            and self._exclusive_numbers(a)[number_range].isdisjoint(
                self._exclusive_numbers(b)[number_range]
            )
            for number_range, members in by_range.items()
            for i, a in enumerate(members)
            for b in members[i + 1 :]
        )

    def join(
        self,
        left: Generation,
        right: Generation,
        *,
        by_decision: bool = False,
        renumbered: NumberRange | None = None,
    ) -> bool:
        """Join the two sets if nothing separates them. Return whether they are joined.

        `by_decision`: a person joins them, although they have two numbers of one issuer.
        `renumbered`: a number range of which the object may get another number.
        """
        a, b = sorted((self.root(left), self.root(right)))
        if a == b:
            return True
        if self.is_separated_by_decision(a, b):
            return False
        numbers, other_numbers = self._exclusive_numbers(a), self._exclusive_numbers(b)
        if not by_decision and any(
            number_range != renumbered
            and number_range in other_numbers
            and values.isdisjoint(other_numbers[number_range])
            for number_range, values in numbers.items()
        ):
            return False
        self._parent[b] = a
        if labels := self._labels.get(b):
            self._labels[a] = self._labels.get(a, set()) | labels
        self._numbers[a] = {
            number_range: numbers.get(number_range, frozenset())
            | other_numbers.get(number_range, frozenset())
            for number_range in {**numbers, **other_numbers}
        }
        return True

    def is_separated_by_decision(self, left: Generation, right: Generation) -> bool:
        """Whether a decision separates the two."""
        other_labels = self._labels.get(self.root(right), set())
        labels = self._labels.get(self.root(left), ())
        return any((decision, 1 - side) in other_labels for decision, side in labels)

    def _exclusive_numbers(self, root: Generation) -> ExclusiveNumbers:
        if root not in self._numbers:
            kind, scheme, issuer, value = root[0]
            own = {(kind, scheme, issuer): frozenset({value})} if is_exclusive(root[0]) else {}
            self._numbers[root] = own
        return self._numbers[root]
