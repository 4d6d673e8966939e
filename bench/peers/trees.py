"""The trees that F3 merges: what three sources claim, with values, in the order of the tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

KINDS = ("device", "card", "server")
AT_MS = 1_700_000_000_000
_LEAVES = ("Addr", "AddrType", "AppID", "Name", "Port", "Realm", "Secret", "Type")
_FAN = 8
_DEPTHS = range(4, 9)
# One leaf in ten is claimed by all three sources, the others by one.
_SHARED = 0.1


@dataclass(frozen=True)
class Claims:
    """The leaves of one source: paths and values, parents before children, siblings by name."""

    kind: str
    paths: list[str]
    values: list[bytes]


def claims(leaves: int) -> list[Claims]:
    """What each source claims, the weakest first; always the same for a size."""
    random = Random(3)  # noqa: S311 (figures, not keys)
    paths = sorted(_paths(leaves, random), key=lambda path: path.split("/"))
    sources = [Claims(kind, [], []) for kind in KINDS]
    for number, path in enumerate(paths):
        shared = random.random() < _SHARED
        for source in sources if shared else (random.choice(sources),):
            source.paths.append(path)
            source.values.append(b"%s %d" % (source.kind.encode(), number))
    return sources


def scattered(server: Claims, count: int) -> list[str]:
    """Leaves of the server, from all over the tree."""
    return Random(4).sample(server.paths, count)  # noqa: S311 (figures, not keys)


def together(server: Claims, count: int) -> list[str]:
    """Leaves of the server that follow one another, as the objects of one authority do."""
    first = (len(server.paths) - count) // 2
    return server.paths[first : first + count]


def write(folder: Path, sources: list[Claims]) -> None:
    """A file a source, of lines ``./A/B/Leaf value``, in the order of the tree."""
    for source in sources:
        lines = (path.encode() + b" " + value + b"\n"
                 for path, value in zip(source.paths, source.values, strict=True))  # fmt: skip
        (folder / source.kind).write_bytes(b"".join(lines))


def read(folder: Path) -> list[Claims]:
    """What write() wrote."""
    sources = [Claims(kind, [], []) for kind in KINDS]
    for source in sources:
        with open(folder / source.kind, "rb") as file:
            for line in file:
                path, _, value = line.rstrip().partition(b" ")
                source.paths.append(path.decode())
                source.values.append(value)
    return sources


def acls(sources: list[Claims]) -> dict[str, str]:
    """An ACL for each node right below the root, and for some below those."""
    tops = sorted({"/".join(path.split("/")[:3]) for source in sources for path in source.paths})
    values = {top: f"Add=s{number % 5}&Get=*" for number, top in enumerate(tops) if number % 7 == 0}
    return values | {top.rpartition("/")[0]: "Get=*" for top in tops}


def _paths(leaves: int, random: Random) -> Iterator[str]:
    """Objects of four leaves each at random depths, in a tree that branches eightfold."""
    made = 0
    for number in range(leaves):
        depth = random.choice(_DEPTHS)
        digits = [number // _FAN**level % _FAN for level in range(4)]
        top = number // _FAN**4
        names = (
            f"Org{top}",
            *(f"{level}{digit}" for level, digit in zip("GUSN", digits, strict=True)),
        )
        # Depth counts the leaf; what is deeper than the branches hangs on as a chain.
        way = [*names[: min(depth - 1, 5)], *(f"Ext{level}" for level in range(depth - 6))]
        if depth < 6:
            way[-1] += f"x{number}"
        for leaf in random.sample(_LEAVES, 4):
            if made == leaves:
                return
            yield "./" + "/".join((*way, leaf))
            made += 1
