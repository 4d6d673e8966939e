"""P11 over whole runs: keys and PINs are where they have to be, and nowhere else.

A machine is provisioned with a card that has parameters, which the server then updates, and with a
card that has a key only; a caller writes a card and presents a PIN. Every secret in it is a canary,
and every file that is left is searched for each, as bytes, as text and in the usual codings; so is
a diagnosis.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cardea
import pytest
from cardea.admin import Admin
from support.documents import BOOTSTRAP, account
from support.system import CARDS, CONFIRMED, INSTALLED, SERVER_ID, MakeSite, Site

NEWS = "./Service/News/URL"
OPERATOR = CARDS["operator"]["iccid"]

K = bytes.fromhex("c0ffee0102030405060708090a0b0c0d")
OPC = bytes.fromhex("decaf00112233445566778899aabbccd")
ADM, WRONG_ADM = b"\xc4\x9aADM\x01\x02\x03", b"\xc4\x9aADM\x09\x08\x07"
PIN = b"71930426"
KIC, KID = bytes.fromhex("0fa1c0de" * 4), bytes.fromhex("7ea5c0de" * 4)
CLIENT, SERVER = "canary-client-4c91d2", "canary-server-a37e08"

# Where a secret has to be, and why. Anywhere else it is a leak.
STORES = {
    # DM secrets are nodes of the tree: what a card claims is kept, for the sessions to come.
    "cardd.sqlite": {CLIENT.encode(), SERVER.encode()},
    # The registry is the authentication centre, and what the operator has told it of cards.
    "registry.sqlite": {CLIENT.encode(), SERVER.encode(), K, OPC, ADM, KIC, KID},
}
SECRETS = (K, OPC, ADM, WRONG_ADM, PIN, KIC, KID, CLIENT.encode(), SERVER.encode())


def codings(secret: bytes) -> set[bytes]:
    """How a secret may stand in a file, a part of it included."""
    found = {secret, secret[::-1]}
    # Six digits are found in every other time of day.
    for part in (secret, *([] if secret.isdigit() else [secret[:6]])):
        found |= {part.hex().encode(), part.hex().upper().encode(), part.hex(" ").encode()}
        found |= {repr(part)[2:-1].encode(), ", ".join(map(str, part)).encode()}
    # Base64 from any of three offsets, without the characters that its neighbours change
    for lead in range(3):
        coded = base64.b64encode(bytes(lead) + secret)
        found.add(coded[4 if lead else 0 : len(coded) // 4 * 4 - 4])
    return found


def leaks(folder: Path) -> list[tuple[str, bytes]]:
    found = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or folder.joinpath("ca") in file.parents or file.suffix == ".json":
            continue  # certificates; the memory of the cards, which is theirs
        allowed = STORES.get(file.name.removesuffix("-wal").removesuffix("-shm"), set())
        data = file.read_bytes()
        for secret in SECRETS:
            if secret not in allowed and any(coded in data for coded in codings(secret)):
                found.append((file.name, secret))
    return found


@pytest.fixture
def run(make_site: MakeSite) -> Site:
    """A system in which everything has happened, stopped."""
    site = make_site()
    site.know(client_secret=CLIENT, server_secret=SERVER)
    ota = {"tar": "B00010", "kic": KIC.hex(), "kid": KID.hex()}
    site.call("POST", "cards", body={"iccid": OPERATOR, "adm1": ADM.hex(), "ota": ota})
    site.know_subscriber(k=K.hex(), opc=OPC.hex(), adm1=ADM.hex())
    document = account(secret=CLIENT.encode(), server_secret=SERVER.encode())
    newer = account(
        secret=CLIENT.encode(), server_secret=SERVER.encode(), access_point="new.example"
    )
    keys = {"kic": KIC.hex(), "kid": KID.hex()}
    card = site.card(files={"Bootstrap": document}, adm=ADM, pin1=PIN.decode(), ota=keys)
    assert site.inserted(card).stage == CONFIRMED
    wanted = {BOOTSTRAP: base64.b64encode(newer).decode()}
    site.desire({NEWS: "https://news.example/1"}, card=wanted)
    assert site.client.sync(SERVER_ID).card_files_updated == 1
    # Over the air nobody but card and server has a key of the card.
    through_the_device = b"".join(exchange.command for exchange in card.trace)
    assert not any(secret in through_the_device for secret in (ADM, KIC, KID))
    site.client.write_card("", ADM, [(BOOTSTRAP, document)])
    with pytest.raises(cardea.CardeaError):
        site.client.write_card("", WRONG_ADM, [(BOOTSTRAP, newer)])
    site.client.transmit("", b"\x00\x20\x00\x01\x08" + PIN)
    assert site.inserted(site.card("key-only", k=K, opc=OPC, adm=ADM), 1).stage in (
        CONFIRMED,
        INSTALLED,
    )
    for program in (site.system.cardd, site.system.dmsd):
        limits = Path(f"/proc/{program.pid}/limits").read_text()
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"]
    # What an operator would send to somebody else.
    with Admin(str(site.system.folder / "admin.sock")) as admin:
        (site.system.folder / "diagnosis").write_text(json.dumps(admin.diagnose()))
    site.client.close()
    site.system.cardd.stop()
    site.system.dmsd.stop()
    return site


def test_secrets_are_in_the_two_stores_and_nowhere_else(run: Site) -> None:
    folder = run.system.folder
    assert leaks(folder) == []
    # The search finds what is there: each store holds what it must.
    for name, secrets in STORES.items():
        data = b"".join(file.read_bytes() for file in folder.glob(f"{name}*"))
        assert [each for each in secrets if not any(c in data for c in codings(each))] == []
        assert (folder / name).stat().st_mode & 0o077 == 0
