"""From disclosed leaves back to a record: the exact set of paths, and the root (SPEC.md C2, 2).

Nothing is dropped and nothing is ignored: every leaf has its place in the structure that the
containers state, or the whole is refuted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from verifier.bundle import DisclosedLeaf
from verifier.commitment import leaves as commitment
from verifier.commitment import merkle
from verifier.commitment.canonical import ParsedValue, canonical_bytes
from verifier.commitment.leaves import LeafKind
from verifier.errors import RefutedError


@dataclass(slots=True)
class DisclosedRecord:
    """What the leaves show of a record.

    ``members`` holds the open fields, ``arrays`` the elements of each array in order, with None
    for a hidden one, ``hidden`` the labels of hidden members (labels prove nothing).
    """

    members: dict[str, ParsedValue] = field(default_factory=dict)
    arrays: dict[str, list[ParsedValue | None]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.members) + len(self.arrays) + len(self.hidden)

    def require(self, name: str) -> ParsedValue:
        """An open field. Raises RefutedError when it is absent, hidden or an array."""
        if name in self.hidden:
            raise RefutedError(f"the field {name} must be open and is hidden")
        if name not in self.members:
            raise RefutedError(f"the record has no field {name}")
        return self.members[name]

    def text(self, name: str) -> str:
        """An open field that is a text; RefutedError otherwise."""
        return as_text(self.require(name), name)

    def optional_text(self, name: str) -> str:
        """As ``text``, and empty when no member has that name."""
        if name not in self.members and name not in self.hidden and name not in self.arrays:
            return ""
        return self.text(name)

    def integer(self, name: str) -> int:
        """An open field that is an integer; RefutedError otherwise."""
        return as_integer(self.require(name), name)

    def array(self, name: str) -> list[ParsedValue | None]:
        """An array member; RefutedError when it is absent or none."""
        if name not in self.arrays:
            raise RefutedError(f"the record has no open array {name}")
        return self.arrays[name]


def as_text(value: ParsedValue | None, name: str) -> str:
    if not isinstance(value, str):
        raise RefutedError(f"{name} is not a text")
    return value


def as_integer(value: ParsedValue | None, name: str) -> int:
    if not isinstance(value, int):
        raise RefutedError(f"{name} is not an integer")
    return value


def disclosed_root(leaves: Sequence[DisclosedLeaf]) -> bytes:
    """Return the root over the leaf hashes, stated or computed, in the order given.

    Raises MalformedError when a value or path cannot be part of a leaf.
    """
    return merkle.root_hash([_hash(leaf) for leaf in leaves])


def _hash(leaf: DisclosedLeaf) -> bytes:
    if leaf.is_hidden:
        return leaf.salt
    open_leaf = commitment.Leaf(leaf.path, LeafKind(leaf.kind), canonical_bytes(leaf.value))
    return commitment.leaf_hash(open_leaf, leaf.salt)


def read_record(leaves: Sequence[DisclosedLeaf]) -> DisclosedRecord:
    """Return the record that the leaves show, after checking that they are those of a record.

    Raises RefutedError naming the first leaf that is out of place.
    """
    if not leaves or leaves[0].path != "" or leaves[0].kind != LeafKind.CONTAINER:
        raise RefutedError("the first leaf is not the open container of the record")
    size = _container_length(leaves[0], "object", 0)
    record = DisclosedRecord()
    index, previous = 1, None
    while index < len(leaves):
        leaf = leaves[index]
        name = _member_name(leaf.path, index)
        order = name.encode("utf-16-be")
        if previous is not None and order <= previous:
            raise RefutedError(f"leaf {index} repeats a member or is out of order", actual=index)
        previous = order
        if leaf.is_hidden:
            record.hidden.add(name)
            index += 1
        elif leaf.kind == LeafKind.CONTAINER:
            length = _container_length(leaf, "array", index)
            record.arrays[name] = _elements(leaves, index, length)
            index += 1 + length
        elif leaf.kind == LeafKind.FIELD and not isinstance(leaf.value, list):
            record.members[name] = leaf.value
            index += 1
        else:
            raise RefutedError(f"leaf {index} is of a kind that has no place here", actual=index)
    if record.size != size:
        raise RefutedError(
            "the record has another number of members than its container states",
            expected=size,
            actual=record.size,
        )
    return record


def _container_length(leaf: DisclosedLeaf, container_type: str, index: int) -> int:
    value = leaf.value
    if not isinstance(value, dict) or set(value) != {"length", "type"}:
        raise RefutedError(f"leaf {index} is no container", actual=index)
    length = value["length"]
    if value["type"] != container_type or not isinstance(length, int) or length < 0:
        raise RefutedError(f"leaf {index} is another container than its place asks", actual=index)
    return length


def _member_name(path: str, index: int) -> str:
    token = path[1:]
    name = token.replace("~1", "/").replace("~0", "~")
    # Escaping the name again must give the path: anything else is a second spelling of it.
    if not path.startswith("/") or commitment.pointer_token(name) != token:
        raise RefutedError(f"leaf {index} has a path that is no member of a record", actual=index)
    return name


def _elements(
    leaves: Sequence[DisclosedLeaf], container_index: int, length: int
) -> list[ParsedValue | None]:
    path = leaves[container_index].path
    entries = leaves[container_index + 1 : container_index + 1 + length]
    if len(entries) != length:
        raise RefutedError(f"the array {path} has fewer elements than its container states")
    elements: list[ParsedValue | None] = []
    for index, leaf in enumerate(entries):
        if leaf.path != f"{path}/{index}" or leaf.kind not in (0, LeafKind.ELEMENT):
            raise RefutedError(
                f"the array {path} has something else in the place of its element {index}",
                expected=length,
                actual=index,
            )
        elements.append(None if leaf.is_hidden else leaf.value)
    return elements
