"""Going back: what is restored, what stays, and that it is a commit like any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.app.serial_executor import SerialExecutor
from cardd.app.tree_committer import TreeCommitter
from cardd.provisioning.errors import RenderingFailedError
from cardd.provisioning.records import NewConfirmation
from cardd.render.output import Output, Plan, PlanError
from cardd.render.renderer import Renderer
from cardd.render.settings_file import settings_file
from cardd.rpc.ports import LocalOperation
from cardd.store import Origin, Store
from cardd.store.errors import RevisionNotFoundError
from cardd.tree import Acl, Delta, ManagementTree, Source, TreeHolder
from cardea_core import Snapshot
from omadm.nodes import leaf

SERVER, CARD = Source("server", "a"), Source("card", "8949")
PROGRAM, DEVICE = Source("device", "local:uid-1000"), Source("device", "local")


@pytest.fixture
def committer(tmp_path: Path) -> Iterator[TreeCommitter]:
    with Store(tmp_path / "s" / "store.sqlite") as store:
        executor = SerialExecutor("tree")
        yield TreeCommitter(store, TreeHolder(ManagementTree(), 0), executor)
        executor.shutdown()


async def commit(committer: TreeCommitter, value: str, at_ms: int) -> int:
    """Every source says something else than before: a program by itself, the others in a run."""

    def claim(tree: ManagementTree, *sources: Source) -> None:
        for source in sources:
            tree.put(source, leaf(f"./Of/{source.id.replace(':', '-')}", value), at_ms)
            tree.set_acl(f"./Acl/{source.kind}", source, Acl.parse(f"Get=always+{value}"), at_ms)

    operation = LocalOperation(1000, PROGRAM.id, "call", "Replace", "./Of")
    await committer.change(operation, lambda tree, _: claim(tree, PROGRAM))
    tree = committer.tree.fork()
    claim(tree, SERVER, CARD, DEVICE)
    return committer.commit(tree, Origin("start")).revision


def values(tree: ManagementTree) -> dict[str, str]:
    found = ((tree.snapshot.get(f"./Of/{name}"), name) for name in tree.snapshot.children("./Of"))
    return {name: node.value.decode() for node, name in found if node and node.value}


async def test_a_rollback_restores_every_sources_claims_but_the_devices_own(
    committer: TreeCommitter,
) -> None:
    first = await commit(committer, "first", 1)
    await commit(committer, "second", 2)

    delta = await committer.roll_back(first, "users/0")

    assert values(committer.tree) == {
        "a": "first", "8949": "first", "local-uid-1000": "first", "local": "second",
    }  # fmt: skip
    acls = {claim.source: str(claim.acl) for claim in committer.tree.acls() if "Acl" in claim.path}
    # Who might read it first might not read it later, and the other way round.
    assert acls[SERVER] == acls[CARD] == "Get=always"
    assert acls[DEVICE] == "Get=always+second"
    assert delta.revision == 5
    assert sorted(node.path for node in delta.changed) == [
        "./Of/8949", "./Of/a", "./Of/local-uid-1000",
    ]  # fmt: skip


async def test_a_rollback_counts_as_a_change_of_each_node_that_it_changes(
    committer: TreeCommitter,
) -> None:
    first = await commit(committer, "first", 1)
    await commit(committer, "second", 2)
    before = committer.tree.version("./Of/a")
    await committer.roll_back(first, "users/0")
    assert committer.tree.version("./Of/a") == before + 1


async def test_a_rollback_to_what_is_not_there_changes_nothing(committer: TreeCommitter) -> None:
    await commit(committer, "first", 1)
    with pytest.raises(RevisionNotFoundError):
        await committer.roll_back(7, "users/0")
    assert len(await committer.revisions(10)) == 3


async def test_a_rollback_to_the_present_revision_is_no_commit(committer: TreeCommitter) -> None:
    present = await commit(committer, "first", 1)
    commits = await committer.revisions(10)
    assert await committer.roll_back(present, "users/0") == Delta(present, ())
    assert await committer.revisions(10) == commits


async def test_two_revisions_are_compared_in_both_directions(committer: TreeCommitter) -> None:
    first, second = await commit(committer, "first", 1), await commit(committer, "second", 2)
    compared = await committer.compare(first, None)
    forward, newer = compared.changes, compared.revision
    backward = (await committer.compare(second, first)).changes
    assert newer == second
    assert len(forward) == len(backward) == 4
    assert [(c.before, c.after) for c in forward] == [(c.after, c.before) for c in backward]


def failing(tree: Snapshot) -> Output:
    raise PlanError("nothing to be had")


@pytest.mark.parametrize(
    ("plan", "told"), [(lambda _: Output(()), "200"), (failing, "500 RENDERING_FAILED")]
)
def test_a_confirmation_is_held_back_until_rendering_has_ended_and_says_how(
    tmp_path: Path, plan: Plan, told: str
) -> None:
    """Also where the daemon was killed in between: the next one renders, and then lets it go."""
    path = tmp_path / "s" / "store.sqlite"
    with Store(path) as store:
        tree = ManagementTree()
        proof = NewConfirmation("a", "8949", "200", "c-1", "200 AAAA BBBB")
        store.commit(tree, 1, confirmations=[proof])
        assert store.pending_confirmations() == ()
    with Store(path) as store:
        executor = SerialExecutor("tree")
        renderers = [Renderer("r", plan, tmp_path / "rendered")]
        TreeCommitter(store, TreeHolder(store.load().tree(), 1), executor, renderers)
        executor.submit(lambda: None).result(10)
        (pending,) = store.pending_confirmations()
        assert (pending.payload, pending.correlator) == (told, "c-1")
        assert pending.card_payload == "200 AAAA BBBB", "what a card has proved stays proved"
        executor.shutdown()


async def test_every_commit_is_rendered_whoever_made_it(tmp_path: Path) -> None:
    with Store(tmp_path / "s" / "store.sqlite") as store:
        executor = SerialExecutor("tree")
        renderer = Renderer("r", settings_file("./Of", "of.json"), tmp_path / "rendered")
        committer = TreeCommitter(store, TreeHolder(ManagementTree(), 0), executor, [renderer])
        for value in ("first", "second"):
            await commit(committer, value, 1)
            executor.submit(lambda: None).result(10)
            assert f'"a": "{value}"' in (tmp_path / "rendered" / "of.json").read_text()
        executor.shutdown()


async def test_a_rollback_that_cannot_be_rendered_is_done_and_says_so(tmp_path: Path) -> None:
    with Store(tmp_path / "s" / "store.sqlite") as store:
        executor = SerialExecutor("tree")
        renderers = [Renderer("r", failing, tmp_path / "rendered")]
        committer = TreeCommitter(store, TreeHolder(ManagementTree(), 0), executor, renderers)
        first = await commit(committer, "first", 1)
        await commit(committer, "second", 2)
        with pytest.raises(RenderingFailedError):
            await committer.roll_back(first, "users/0")
        assert values(committer.tree)["a"] == "first"
        executor.shutdown()


async def test_a_commit_in_the_daemons_last_moment_is_one(committer: TreeCommitter) -> None:
    """What is rendered of it comes with the next start; to say that it failed would be a lie."""
    committer.executor.shutdown()
    assert await commit(committer, "last", 1) == 2
    assert values(committer.tree)["a"] == "last"


async def test_a_commit_that_takes_long_keeps_no_reader_of_the_history_from_the_loop(
    committer: TreeCommitter,
) -> None:
    committing, done = threading.Event(), threading.Event()

    def commit_for_long() -> None:
        with committer._store._database.transaction():
            committing.set()
            done.wait(60)

    thread = threading.Thread(target=commit_for_long)
    thread.start()
    committing.wait(60)
    asked = asyncio.create_task(committer.revisions(1))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not asked.done()
    assert thread.is_alive()
    done.set()
    assert len(await asked) == 1
    thread.join()
