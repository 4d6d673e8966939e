"""Subscriptions and cards: the keys of the home network."""

from __future__ import annotations

from cardea_core import Secret

from dmsd.errors import ConflictError, NotFoundError
from dmsd.registry.database import Database, Row
from dmsd.registry.records import CardKey, OtaKeys, Subscriber

__all__ = ["IND_BITS", "MOST_COUNTER", "Subscribers"]

# Length of IND in SQN = SEQ‖IND (TS 33.102 annex C.3.2 and C.3.3 use 5 bits).
IND_BITS = 5
_IND = (1 << IND_BITS) - 1
# SEQ and IND one further. SEQ is 43 bits; a subscription does not live to see it wrap, yet nothing
# overflows.
_NEXT_SQN = (
    f"UPDATE subscribers SET sqn = ((((sqn >> {IND_BITS}) + 1) % {1 << (48 - IND_BITS)})"  # noqa: S608
    f" << {IND_BITS}) | ((sqn + 1) & {_IND}) WHERE impi = ? RETURNING sqn"
)
# SEQ of the card, IND as it was.
_ADOPT_SEQ = f"UPDATE subscribers SET sqn = CAST(? AS BIGINT) | (sqn & {_IND}) WHERE impi = ?"  # noqa: S608
# At its highest value the counter of secured packets is blocked for ever.
MOST_COUNTER = (1 << 40) - 2


class Subscribers:
    """Subscribers by IMPI, cards by ICCID."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, subscriber: Subscriber) -> None:
        """Add a subscriber, or replace its keys; the sequence number never goes back."""
        with self._database.transaction():
            other = self._database.row(
                "SELECT impi FROM subscribers WHERE imsi = ? AND impi <> ?",
                (subscriber.imsi, subscriber.impi),
            )
            if other is not None:
                raise ConflictError("subscriber", subscriber.imsi, f"is {other['impi']!r} already")
            self._database.run(
                "INSERT INTO subscribers (impi, imsi, k, opc, amf, sqn) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (impi) DO UPDATE SET imsi = excluded.imsi, k = excluded.k,"
                " opc = excluded.opc, amf = excluded.amf, sqn = CASE"
                " WHEN excluded.sqn > subscribers.sqn THEN excluded.sqn ELSE subscribers.sqn END",
                (
                    subscriber.impi,
                    subscriber.imsi,
                    subscriber.k.expose(),
                    subscriber.opc.expose(),
                    subscriber.amf,
                    subscriber.sqn,
                ),
            )

    def get(self, impi: str) -> Subscriber:
        row = self._database.row("SELECT * FROM subscribers WHERE impi = ?", (impi,))
        if row is None:
            raise NotFoundError("subscriber", impi)
        return _subscriber(row)

    def remove(self, impi: str) -> None:
        """Take the subscription out, and what was bootstrapped with its key. NotFoundError."""
        with self._database.transaction():
            self.get(impi)
            self._database.run("DELETE FROM bootstraps WHERE impi = ?", (impi,))
            self._database.run("DELETE FROM challenges WHERE impi = ?", (impi,))
            self._database.run("DELETE FROM subscribers WHERE impi = ?", (impi,))

    def remove_card(self, iccid: str) -> None:
        """Take the card and its keys out; its counter stays, should it come back. NotFoundError."""
        with self._database.transaction():
            if self.card(iccid) is None:
                raise NotFoundError("card", iccid)
            self._database.run("DELETE FROM cards WHERE iccid = ?", (iccid,))

    def list(self) -> tuple[Subscriber, ...]:
        rows = self._database.rows("SELECT * FROM subscribers ORDER BY impi")
        return tuple(_subscriber(row) for row in rows)

    def next_sqn(self, impi: str) -> int:
        """Step SEQ and IND, store them, and only then hand them out (TS 33.102 §C.1.1.1)."""
        row = self._database.row(_NEXT_SQN, (impi,))
        if row is None:
            raise NotFoundError("subscriber", impi)
        return int(row["sqn"])

    def resynchronise(self, impi: str, sqn_ms: int) -> None:
        """Take the card's number, after AUTS was found genuine (TS 33.102 §6.3.5).

        IND goes on from our own, so that the array of the card is used in turn.
        """
        self._database.run(_ADOPT_SEQ, (sqn_ms & ~_IND, impi))

    def put_card(self, card: CardKey) -> None:
        """Add a card, or replace its keys; the counter only grows, whatever becomes of the keys."""
        with self._database.transaction():
            if card.impi is not None:
                self.get(card.impi)
            adm1 = None if card.adm1 is None else card.adm1.expose()
            self._database.run(
                "INSERT INTO cards (iccid, adm1, impi) VALUES (?, ?, ?)"
                " ON CONFLICT (iccid) DO UPDATE SET adm1 = excluded.adm1, impi = excluded.impi",
                (card.iccid, adm1, card.impi),
            )
            if card.ota is None:
                self._database.run("DELETE FROM ota_keys WHERE iccid = ?", (card.iccid,))
                return
            self._database.run(
                "INSERT INTO ota_keys (iccid, kic, cipher_key, kid, checksum_key, tar)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (iccid) DO UPDATE SET"
                " kic = excluded.kic, cipher_key = excluded.cipher_key, kid = excluded.kid,"
                " checksum_key = excluded.checksum_key, tar = excluded.tar",
                (
                    card.iccid,
                    card.ota.kic,
                    card.ota.cipher_key.expose(),
                    card.ota.kid,
                    card.ota.checksum_key.expose(),
                    card.ota.tar,
                ),
            )
            self._database.run(
                "INSERT INTO packet_counters VALUES (?, ?)"
                " ON CONFLICT (iccid) DO UPDATE SET counter = excluded.counter"
                " WHERE excluded.counter > packet_counters.counter",
                (card.iccid, card.ota.counter),
            )

    def card(self, iccid: str) -> CardKey | None:
        row = self._database.row(f"{_CARDS} WHERE iccid = ?", (iccid,))
        return None if row is None else _card(row)

    def cards(self) -> tuple[CardKey, ...]:
        return tuple(_card(row) for row in self._database.rows(f"{_CARDS} ORDER BY iccid"))

    def next_counters(self, iccid: str, count: int) -> int:
        """Spend so many counters of a card's packets: stored first, then handed out; the first.

        NotFoundError without keys for packets; ConflictError when there are not so many left
        (TS 102 225 §5.1.4: 5 bytes, and then the card takes no more).
        """
        card = self.card(iccid)
        if card is None or card.ota is None:
            raise NotFoundError("card with keys for packets", iccid)
        row = self._database.row(
            "UPDATE packet_counters SET counter = counter + ?"
            " WHERE iccid = ? AND counter <= ? RETURNING counter",
            (count, iccid, MOST_COUNTER - count),
        )
        if row is None:
            raise ConflictError("card", iccid, "has no counters left")
        return int(row["counter"]) - count + 1

    def raise_counters(self, by: int, iccid: str | None = None) -> int:
        """Skip so many counters of a card, or of every card there ever was; of how many cards.

        NotFoundError for a card that never had keys for packets; ConflictError where a card has not
        so many left: then none is raised.
        """
        with self._database.transaction():
            rows = self._database.rows(
                "UPDATE packet_counters SET counter = counter + ?"
                " WHERE CAST(? AS TEXT) IS NULL OR iccid = ? RETURNING iccid, counter",
                (by, iccid, iccid),
            )
            if iccid is not None and not rows:
                raise NotFoundError("card with keys for packets", iccid)
            # What has been raised is undone with the transaction.
            for row in rows:
                if row["counter"] > MOST_COUNTER:
                    raise ConflictError("card", row["iccid"], "has no counters left")
        return len(rows)


_CARDS = (
    "SELECT * FROM cards LEFT JOIN ota_keys USING (iccid) LEFT JOIN packet_counters USING (iccid)"
)


def _subscriber(row: Row) -> Subscriber:
    return Subscriber(
        impi=row["impi"],
        imsi=row["imsi"],
        k=Secret(row["k"]),
        opc=Secret(row["opc"]),
        amf=row["amf"],
        sqn=row["sqn"],
    )


def _card(row: Row) -> CardKey:
    ota = None
    if row["kic"] is not None:
        ota = OtaKeys(
            kic=row["kic"],
            cipher_key=Secret(row["cipher_key"]),
            kid=row["kid"],
            checksum_key=Secret(row["checksum_key"]),
            tar=row["tar"],
            counter=row["counter"],
        )
    adm1 = None if row["adm1"] is None else Secret(row["adm1"])
    return CardKey(iccid=row["iccid"], adm1=adm1, impi=row["impi"], ota=ota)
