"""A campaign over the air: to each card a command, from each its receipt."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from cardea_core import Scp80Keys, Scp80Spi, scp80_commands, scp80_receipts

from bench import measure
from bench.peers import scp80

_MANY = 20_000
_FEW = 300
_DATA = bytes(range(100))
_ANSWER = bytes(range(20))
_SPI = Scp80Spi.from_bytes(scp80.SPI)

_Card = Callable[[bytes, bytes], scp80.Card]

AES = (0x12, scp80.AesOverCryptography, scp80.AesOverPycryptodomex)
DES = (0x15, scp80.DesOverCryptography, scp80.DesOverPycryptodomex)


class Campaign:
    """20,000 cards in a batch, 300 one by one, each with keys and a counter of its own."""

    def __init__(self, algorithm: tuple[int, _Card, _Card]) -> None:
        self._name, *peers = algorithm
        random = Random(3)  # noqa: S311 (figures, not keys)
        self._kic, self._kid = random.randbytes(16 * _MANY), random.randbytes(16 * _MANY)
        self._counters = b"".join(number.to_bytes(5, "big") for number in range(_MANY))
        pairs = [
            (self._kic[at : at + 16], self._kid[at : at + 16]) for at in range(0, 16 * _MANY, 16)
        ]
        keys = [Scp80Keys(self._name, kic, self._name, kid) for kic, kid in pairs]
        self._receipts = [
            card.build_response(_ANSWER, spi=_SPI, tar=scp80.TAR, status=0, counter=number)
            for number, card in enumerate(keys)
        ]
        self._all_receipts = b"".join(self._receipts)
        self._keys = keys[:_FEW]
        self._peers = [[peer(*pair) for pair in pairs[:_FEW]] for peer in peers]
        self._compare()

    def many(self) -> float:
        """Cardea's batches."""
        with measure.Stopwatch() as watch:
            self._commands()
            self._answers()
        return watch.elapsed_us / _MANY

    def each(self) -> float:
        """Cardea, card by card."""
        with measure.Stopwatch() as watch:
            for number, (card, receipt) in enumerate(zip(self._keys, self._receipts, strict=False)):
                card.build_command(_DATA, spi=_SPI, tar=scp80.TAR, counter=number)
                card.open_response(receipt, spi=_SPI)
        return watch.elapsed_us / _FEW

    def over_cryptography(self) -> float:
        """The same over `cryptography`."""
        return self._other(0)

    def over_pycryptodomex(self) -> float:
        """The same over pycryptodomex."""
        return self._other(1)

    def _other(self, peer: int) -> float:
        cards = self._peers[peer]
        with measure.Stopwatch() as watch:
            for number, (card, receipt) in enumerate(zip(cards, self._receipts, strict=False)):
                scp80.build_command(card, self._name, number.to_bytes(5, "big"), _DATA)
                scp80.open_response(card, receipt)
        return watch.elapsed_us / _FEW

    def _commands(self) -> bytearray:
        return scp80_commands(
            self._name,
            self._kic,
            self._name,
            self._kid,
            counters=self._counters,
            data=_DATA,
            spi=_SPI,
            tar=scp80.TAR,
        )

    def _answers(self) -> bytearray:
        return scp80_receipts(
            self._name,
            self._kic,
            self._name,
            self._kid,
            counters=self._counters,
            packets=self._all_receipts,
            spi=_SPI,
        )

    def _compare(self) -> None:
        commands, answers = self._commands(), self._answers()
        length = len(commands) // _MANY
        record = bytes([1, 0, 0, len(_ANSWER)]) + _ANSWER
        if answers != record.ljust(len(answers) // _MANY, b"\0") * _MANY:
            raise AssertionError("a receipt does not say what the card has said")
        for peer in self._peers:
            for number, card in enumerate(peer):
                counter = number.to_bytes(5, "big")
                built = scp80.build_command(card, self._name, counter, _DATA)
                alone = self._keys[number].build_command(
                    _DATA, spi=_SPI, tar=scp80.TAR, counter=number
                )
                if not built == alone == commands[number * length : (number + 1) * length]:
                    raise AssertionError(f"{card} disagrees on a command")
                answer = scp80.open_response(card, self._receipts[number])
                if answer != (counter, 0, _ANSWER):
                    raise AssertionError(f"{card} disagrees on a receipt")
