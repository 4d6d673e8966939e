"""For any device and any wish: the device ends as desired, and a second session changes nothing."""

import string

from dmsd.registry import Registry
from dmsd.session import Limits
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm import codec
from omadm.messages import Add, Atomic, Delete, Replace

from .conftest import Bench
from .device import Device, Node

SEGMENT = st.text(string.ascii_letters[:4], min_size=1, max_size=2)
PATH = st.lists(SEGMENT, min_size=1, max_size=4).map(lambda parts: "./" + "/".join(parts))
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40
) | st.sampled_from(["x" * 3000, "é" * 1500])


def consistent(paths: dict[str, str]) -> dict[str, str]:
    """Leaves only: whatever stands above another leaf is left out."""
    return {p: v for p, v in paths.items() if not any(q.startswith(p + "/") for q in paths)}


def related(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


TREE = st.dictionaries(PATH, TEXT, max_size=8).map(consistent)


@settings(max_examples=150, deadline=None)
@given(
    has=TREE,
    wanted=TREE,
    absent=st.lists(PATH, max_size=3),
    encoding=st.sampled_from(["wbxml", "xml"]),
    limit=st.sampled_from([None, 1500, 4000]),
    lacks=st.sampled_from([frozenset[str](), frozenset({"Atomic"})]),
)
def test_any_device_comes_to_what_is_desired(
    has: dict[str, str],
    wanted: dict[str, str],
    absent: list[str],
    encoding: codec.Encoding,
    limit: int | None,
    lacks: frozenset[str],
) -> None:
    # A leaf below, or above, a wish would have to go first: that is an operator's business.
    has = {p: v for p, v in has.items() if not any(related(p, w) and p != w for w in wanted)}
    absent = [p for p in absent if not any(related(p, w) for w in wanted)]
    registry = Registry(":memory:")
    bench = Bench(registry, Limits())
    bench.add_account()
    bench.desire(tree=wanted, absent=absent)
    device = bench.device(
        encoding=encoding,
        content_type=codec.content_type(encoding),
        max_msg_size=limit,
        lacks=lacks,
    )
    device.nodes = {path: Node(value.encode()) for path, value in has.items()}
    device.run()
    expected = {p: v for p, v in has.items() if not any(p == a or below(p, a) for a in absent)}
    expected.update(wanted)
    assert leaves(device) == expected
    assert bench.last_session().outcome == "converged"
    device.seen.clear()
    device.run()
    assert leaves(device) == expected
    changes = (Add, Replace, Delete, Atomic)
    assert not any(isinstance(c, changes) for m in device.seen for c in m.commands)
    assert limit is None or max(device.sizes) <= limit
    registry.close()


def below(path: str, above: str) -> bool:
    return path.startswith(above + "/")


def leaves(device: Device) -> dict[str, str]:
    return {p: n.value.decode() for p, n in device.nodes.items() if n.value is not None}
