"""Local programs get their settings as files (M6), and servers hear if they did not (M5)."""

from __future__ import annotations

import stat
from pathlib import Path

import cardea
import pytest
from softcard import SoftCard
from support.client import eventually
from support.documents import network
from support.system import CONFIRMED, FAILED, INSTALLED, SERVER_ID, MakeSite, Site, failure

NEWS, ADDRESS = "./Service/News/URL", "./NAP/1/Addr"


class Consumer:
    """A folder of keyfiles, one file from a template, and a program that can be made to fail."""

    def __init__(self, folder: Path) -> None:
        self.keyfiles = folder / "keyfiles"
        self.news = folder / "news" / "news.conf"
        self.told = folder / "told"
        self.broken = folder / "broken"
        self._template = folder / "news.j2"
        self._template.write_text("url={{ value('./Service/News/URL') }}\n")
        self._program = folder / "program"
        self._program.write_text(
            f"#!/bin/sh\necho $CARDEA_RENDERER >> {self.told}\ntest ! -e {self.broken}\n"
        )
        self._program.chmod(0o755)

    @property
    def settings(self) -> str:
        return (
            f'[[render]]\nname = "nm"\nkind = "networkmanager"\nfolder = "{self.keyfiles}"\n'
            f'[[render]]\nname = "news"\nfolder = "{self.news.parent}"\nfile = "news.conf"\n'
            f'template = "{self._template}"\nprogram = ["{self._program}"]\nuser = "root"\n'
        )

    @property
    def access_points(self) -> set[str]:
        lines = [line for path in self.keyfiles.iterdir() for line in path.read_text().splitlines()]
        return {line.removeprefix("apn=") for line in lines if line.startswith("apn=")}

    @property
    def url(self) -> str:
        return self.news.read_text().strip().removeprefix("url=")

    @property
    def times(self) -> int:
        return len(self.told.read_text().splitlines()) if self.told.exists() else 0


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    return Consumer(tmp_path)


@pytest.fixture
def rendered(make_site: MakeSite, consumer: Consumer) -> tuple[Site, SoftCard]:
    """A machine that was provisioned, and renders."""
    site = make_site(settings=consumer.settings)
    site.know("operator", "second-operator")
    site.desire({NEWS: "https://news.example/1"})
    card = site.card()
    assert site.inserted(card).stage == CONFIRMED
    return site, card


def reports(site: Site) -> list[str]:
    """What the server was told, oldest first."""
    return [each["data"] for each in reversed(site.reports())]


def test_the_factory_settings_are_rendered_at_the_first_start(
    make_site: MakeSite, consumer: Consumer
) -> None:
    make_site(settings=consumer.settings)
    eventually(lambda: consumer.times == 1)
    assert consumer.access_points == {"factory.example"}
    assert consumer.url == "https://news.example/factory"


def test_after_a_provisioning_programs_have_what_card_and_server_say(
    rendered: tuple[Site, SoftCard], consumer: Consumer
) -> None:
    assert consumer.access_points == {"internet.example"}
    assert consumer.url == "https://news.example/1"
    (keyfile,) = consumer.keyfiles.iterdir()
    assert stat.S_IMODE(keyfile.stat().st_mode) == 0o600


def test_a_provisioning_that_changes_nothing_writes_nothing_and_tells_nobody(
    rendered: tuple[Site, SoftCard], consumer: Consumer
) -> None:
    site, _ = rendered
    (keyfile,) = consumer.keyfiles.iterdir()
    before, times = keyfile.stat().st_ino, consumer.times
    stages = [progress.stage for progress in site.client.provision()]
    assert stages[-1] == CONFIRMED
    assert (keyfile.stat().st_ino, consumer.times) == (before, times)


def test_another_card_changes_the_files_and_takes_away_what_is_no_more(
    rendered: tuple[Site, SoftCard], consumer: Consumer
) -> None:
    site, _ = rendered
    site.remove()
    second = site.card("second-operator")
    second.write_file("Bootstrap", network("second.example"))
    assert site.inserted(second).stage == INSTALLED
    assert consumer.access_points == {"second.example"}


def test_a_program_that_fails_is_a_failed_installation_for_the_server_and_the_caller(
    rendered: tuple[Site, SoftCard], consumer: Consumer
) -> None:
    site, card = rendered
    site.desire({NEWS: "https://news.example/2"})
    consumer.broken.touch()

    error = failure(site.provision)

    assert error is not None
    assert error.reason == "RENDERING_FAILED"
    assert error.message.startswith("renderer news: ")
    assert error.message.endswith("exit status 1")
    assert reports(site)[-1] == "500 RENDERING_FAILED"
    last = site.last(card.profile.serial)
    assert last is not None
    assert (last.stage, last.nodes_changed) == (FAILED, 1)
    # The tree is what card and server say, whatever one program made of it.
    assert site.value(NEWS)[0] == consumer.url == "https://news.example/2"

    consumer.broken.unlink()
    times = consumer.times
    assert site.provision().stage == CONFIRMED
    assert consumer.times == times + 1


def test_a_session_is_told_of_a_failed_renderer_too(
    rendered: tuple[Site, SoftCard], consumer: Consumer
) -> None:
    site, _ = rendered
    site.desire({NEWS: "https://news.example/2"})
    consumer.broken.touch()
    with pytest.raises(cardea.CardeaError, match="renderer news"):
        site.client.sync(SERVER_ID)
    assert reports(site)[-1] == "500 RENDERING_FAILED"


def test_a_rollback_is_rendered(rendered: tuple[Site, SoftCard], consumer: Consumer) -> None:
    site, _ = rendered
    before = site.revision()
    site.desire({NEWS: "https://news.example/2"})
    assert site.provision().stage == CONFIRMED
    assert consumer.url == "https://news.example/2"
    site.client.rollback(before)
    assert consumer.url == "https://news.example/1"


def test_what_was_committed_and_not_rendered_is_rendered_and_confirmed_after_a_restart(
    rendered: tuple[Site, SoftCard], consumer: Consumer
) -> None:
    """Killed while the program runs: after the commit, before the server was told."""
    site, card = rendered
    site.remove()
    site.desire({NEWS: "https://news.example/2"})
    program = Path(consumer.settings.rpartition('program = ["')[2].partition('"')[0])
    good = program.read_text()
    # A shell would go on in what is written into its script meanwhile.
    program.write_text(f"#!/bin/sh\nkill -9 {site.system.cardd.pid}\nexec sleep 5\n")
    site.insert(card)
    eventually(lambda: _ended(site.system.cardd.pid))
    assert reports(site)[-1] == "200"
    told = len(reports(site))
    program.write_text(good)
    times = consumer.times

    site.restart_cardd(kill=True)

    eventually(lambda: len(reports(site)) == told + 1)
    assert reports(site)[-1] == "200"
    assert site.value(NEWS)[0] == consumer.url == "https://news.example/2"
    assert consumer.times == times + 1


def test_files_are_put_right_at_the_next_start(
    rendered: tuple[Site, SoftCard], consumer: Consumer
) -> None:
    site, _ = rendered
    site.remove()
    consumer.news.write_text("url=https://evil.example/\n")
    site.restart_cardd()
    eventually(lambda: consumer.url == "https://news.example/1")


def _ended(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
