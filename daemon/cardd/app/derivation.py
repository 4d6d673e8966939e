"""Keys for application servers: GBA_ME with the card and the network, then one derivation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cardd.provisioning.ports import Environment
from cardd.provisioning.task import Settings
from cardd.reader.errors import CardAbsent
from cardd.reader.events import ReaderStatus
from cardd.reader.leased_card import LeasedCard
from cardd.reader.supervisor import ReaderSupervisor
from cardd.rpc.keys import DerivedKey

if TYPE_CHECKING:
    from cardd.network.https import HttpsClient

__all__ = ["Deriver"]

_CALLER = "cardd"
_THREADS = 4


class Deriver:
    """Bootstraps anew for every derivation: no key is kept in between."""

    def __init__(
        self,
        supervisor: ReaderSupervisor,
        settings: Settings,
        environment: Environment,
        *,
        connect: Callable[[], HttpsClient],
        max_wait_s: float,
    ) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._environment = environment
        self._connect = connect
        self._max_wait_s = max_wait_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="derivation")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def derive(self, status: ReaderStatus, server: str, ua_protocol: bytes) -> DerivedKey:
        """Ks_NAF for one server. Raises what `trust.bootstrap` raises; CardAbsent."""
        if status.identity is None:
            raise CardAbsent(status.name)
        card = LeasedCard(
            self._supervisor,
            reader=status.name,
            insertion=status.insertion,
            identity=status.identity,
            caller=_CALLER,
            max_wait_s=self._max_wait_s,
        )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._derive, card, server, ua_protocol)

    def _derive(self, card: LeasedCard, server: str, ua_protocol: bytes) -> DerivedKey:
        # Few devices derive keys: the daemon does not wait for this to load.
        from gba.naf import ks_naf

        from cardd.provisioning import trust

        settings = self._settings
        subscriber = trust.read_subscriber(card, bsf_url=settings.bsf_url, dm_url=settings.dm_url)
        with self._connect() as network:
            agreed = trust.bootstrap(card, network, subscriber, self._environment)
        key = ks_naf(
            ck=agreed.ck,
            ik=agreed.ik,
            rand=agreed.rand,
            impi=agreed.impi,
            fqdn=server,
            ua_protocol=ua_protocol,
        )
        return DerivedKey(agreed.btid, agreed.expires_ms, key)
