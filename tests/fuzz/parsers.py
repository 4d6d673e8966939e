"""The parsers in Python that take what others send: from networks, cards and operators.

A target takes any bytes. What it may raise it says itself; anything else is a bug.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cardd.card import directory, fcp, pkcs15, usim
from cardd.card.channel import Channel, Transmit
from cardd.card.errors import CardError
from cardd.card.files import KNOWN_FILES, locate, read_path
from cardd.card.identify import decode_iccid, identify
from cardd.card.provisioning_files import survey
from cardd.card.token import read_token
from cardd.card.uicc import FilePath, FileSystem
from cardd.dm.errors import DmError
from cardd.tree import BUILT_IN, DescriptionError
from cardea_core import (
    CodecError,
    Scp80Keys,
    Scp80Spi,
    Secret,
    tlv_encode,
    xml_decode,
    xml_encode,
)
from dmsd.desired import read_desired
from dmsd.errors import DmsdError
from dmsd.operator import Operator, dispatch
from dmsd.ota import downloads_of, shortfall
from dmsd.registry import OtaKeys, Registry
from dmsd.session import Limits, Settings
from dmsd.sessions import Arrival, DmServer, MessageRefusedError
from gba import btid, digest, realm
from gba.errors import GbaError
from omadm import auth, notification, tnds
from omadm.codec import content_type, decode, encode
from omadm.ddf import read_description
from omadm.document import map_documents, parse_document
from omadm.downloads import downloads
from omadm.errors import FormatError, OmadmError
from omadm.interaction import Outcome, Reply
from omadm.messages import Add, Alert, Header, Item, Message, Replace, Status
from omadm.nodes import interior, leaf
from softcard import SoftCard
from support import documents
from unit.ddf_example import DEV_INFO, PUMPS
from unit.dm.dm_peer import NOW, SERVER, URL, device_tree, session

from fuzz.rendering import rendered, values

__all__ = ["TARGETS", "Target"]

_RAND = bytes(range(16))
_DEVICE = "IMEI:1"
_SERVER_URL = "https://dms.example.org/dm"
_OTA_KEYS = OtaKeys(
    0x12, Secret(b"OTA-KIC-00000001"), 0x12, Secret(b"OTA-KID-00000001"), b"\xb0\x00\x10"
)
_ACCOUNT = {"user": "u", "client_secret": "a", "server_secret": "b", "auth": "basic"}


@dataclass(frozen=True, slots=True)
class Target:
    """One entry point, and inputs to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


def messages() -> Iterator[bytes]:
    """DM messages as a server sends them to `dm_peer`'s client, in both encodings."""
    cred = auth.md5_credential(SERVER, b"srv", b"s0")
    document = tnds.write([interior("./t"), leaf("./t/x", "1")], base="./t")
    for command in (
        Replace(2, (Item(target="./Vendor/Name", data="new"),)),
        Add(2, (Item(target="./Vendor/New", element=document),)),
        Alert(2, 1100, (Item(data="MINDT=5"), Item(data="Text"))),
        Alert(2, 1103, (Item(data="MAXDT=5&DR=1"), Item(data="Text"), Item(data="Choice"))),
    ):
        to_header = Status(1, 1, 0, "SyncHdr", 212)
        message = Message(Header("1F", 1, "IMEI:1", URL, cred=cred), (to_header, command))
        yield encode(message, encoding="wbxml")
        yield encode(message, encoding="xml")


def provisioning_documents() -> Iterator[bytes]:
    """What lies on cards."""
    yield documents.account()
    yield documents.network("internet.example")
    yield documents.dm_bootstrap()


def message(data: bytes) -> None:
    for encoding in ("wbxml", "xml"):
        with suppress(OmadmError):
            encode(decode(data, content_type(encoding)), encoding="xml")


def document(data: bytes) -> None:
    with suppress(OmadmError):
        map_documents([parse_document(data)])


def tree_object(data: bytes) -> None:
    with suppress(OmadmError, CodecError):
        nodes = tnds.read(xml_decode(data), base="./t")
        assert tnds.read(tnds.write(nodes, base="./t"), base="./t")


def tree_objects() -> Iterator[bytes]:
    nodes = [
        interior("./t"),
        leaf("./t/a", "1", format="int"),
        leaf("./t/b", b"\xff", format="bin"),
    ]
    yield xml_encode(tnds.write(nodes, base="./t"))


def description(data: bytes) -> None:
    with suppress(OmadmError, DescriptionError):
        nodes = read_description(data)
        known = BUILT_IN.joined(nodes)
        assert all(known.describes(node.path.replace("*", "1")) for node in nodes)


def descriptions() -> Iterator[bytes]:
    yield DEV_INFO
    yield PUMPS


def package0(data: bytes) -> None:
    with suppress(OmadmError):
        notification.parse_push(data)
    with suppress(OmadmError):
        notification.parse_received(data)
    with suppress(OmadmError):
        notification.verify(notification.parse(data), password=b"p", nonce=b"n")


def notifications() -> Iterator[bytes]:
    package = notification.build(server_id=SERVER, password=b"p", nonce=b"n", session_id=1)
    yield package
    yield notification.WSP_HEADER + package
    yield notification.SMS_HEADER + notification.WSP_HEADER + package


def client_session(data: bytes) -> None:
    client = session(device_tree())
    client.data_to_send()
    with suppress(DmError):
        client.receive(data, content_type("wbxml"), {}, NOW)
        while client.question is not None:
            client.answer(Reply(Outcome.ANSWERED))
        client.data_to_send()


def server_session(data: bytes) -> None:
    with _registry() as (registry, operator):
        operator.add_device({"device": _DEVICE, "accounts": [_ACCOUNT]})
        entropy = itertools.count(1)
        settings = Settings(
            "dms.example.org", "a", registry, lambda n: next(entropy).to_bytes(n, "big"), Limits()
        )
        server = DmServer(settings, url=_SERVER_URL)
        with suppress(MessageRefusedError, DmsdError):
            server.receive(Arrival(data, content_type("wbxml"), None, None, None), NOW)


def first_messages() -> Iterator[bytes]:
    """What a device says first, with a credential that fits."""
    cred = auth.basic_credential("u", b"a")
    items = tuple(Item(source=f"./DevInfo/{name}", data="x") for name in ("DevId", "Man", "Mod"))
    commands = (Alert(1, 1201), Replace(2, items))
    header = Header("1", 1, _SERVER_URL, _DEVICE, cred=cred)
    yield encode(Message(header, commands), encoding="wbxml")
    yield encode(Message(header, commands), encoding="xml")


def operator_call(data: bytes) -> None:
    """What is known of devices, subscribers and cards, as JSON."""
    with suppress(DmsdError):
        read_desired(data.decode("utf-8", "replace"))
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return
    with _registry() as (_, operator):
        for kind in ("devices", "subscribers", "cards"):
            dispatch(operator, "POST", (kind,), body)
        dispatch(operator, "PUT", ("devices", _DEVICE, "desired"), body)


def operator_bodies() -> Iterator[bytes]:
    yield json.dumps({"device": _DEVICE, "accounts": [_ACCOUNT, {"impi": "a@b.example"}]}).encode()
    subscriber = {"imsi": "001010000000003", "k": "00" * 16, "opc": "11" * 16, "amf": "8000"}
    yield json.dumps({**subscriber, "iccid": "8900", "adm1": "22" * 8}).encode()
    ota = {"tar": "B00010", "kic": "33" * 16, "kid": "44" * 16, "algorithm": "3des"}
    yield json.dumps({"iccid": "8900", "ota": ota}).encode()
    tree = {"./Vendor/Name": "x", "./Vendor/n": {"value": 1, "format": "int"}}
    yield json.dumps({"tree": tree, "absent": ["./Old"]}).encode()


def http_headers(data: bytes) -> None:
    text = data.decode("latin-1")
    for parse in (
        digest.parse_authorization,
        digest.parse_info,
        digest.parse_aka_nonce,
        lambda value: digest.digest_challenge([value], algorithm=digest.AKA).header(),
        realm.split_btid,
        realm.bsf_fqdn_of_impi,
    ):
        with suppress(GbaError):
            parse(text)
    with suppress(OmadmError):
        auth.parse_mac_header(text)


def headers() -> Iterator[bytes]:
    nonce = digest.aka_nonce(_RAND, _RAND)
    challenge = digest.Challenge("bsf.example", nonce, digest.AKA, opaque="o", domain="/")
    yield challenge.header().encode()
    yield f"Negotiate, {challenge.header()}".encode()
    yield b'Digest username="u", realm="r", nonce="n", uri="/", response="' + b"0" * 32 + b'"'
    yield b'qop=auth-int, rspauth="' + b"0" * 32 + b'", cnonce="c", nc=00000001'
    yield b'algorithm=MD5, username="u", mac="AAAAAAAAAAAAAAAAAAAAAA=="'
    yield realm.btid(_RAND, "bsf.example").encode()


def bootstrapping_info(data: bytes) -> None:
    with suppress(GbaError):
        info = btid.parse(data)
        assert info.btid


def infos() -> Iterator[bytes]:
    yield btid.build(btid.BootstrappingInfo("x@bsf.example", NOW))


def card_data(data: bytes) -> None:
    """One file's bytes, taken for each kind of file."""
    root = FilePath((0x7F50,))
    for parse in (
        lambda data: fcp.parse_fcp(data, "file"),
        lambda data: pkcs15.parse_odf(data, root),
        lambda data: pkcs15.parse_dodf(data, root, "file"),
        pkcs15.parse_serial_number,
        directory.parse_record,
        decode_iccid,
        usim.decode_imsi,
        usim.decode_service_table,
    ):
        with suppress(CardError):
            parse(data)


def card_files() -> Iterator[bytes]:
    for text in (
        "621D8205422100 1C02 83022F00 8A0105 8B032F0601 80020038 8801F0",
        "A706 3004 0402 6430",
        "A120 3000 300A 0C08 426F6F7473747261 A110 300E 0606 0604672B0901 3004 04026432",
        "6118 4F10 A0000000871002FFFFFFFF8907090000 5004 5553494D",
    ):
        yield bytes.fromhex(text)


def card(data: bytes) -> None:
    """A hostile card: each answer is a length and so many bytes; in the end there is no file."""
    answers = iter(_chunks(data))
    calls = itertools.count()

    def transmit(_command: bytes) -> bytes:
        assert next(calls) < 5_000, "a card has made the daemon ask for ever"
        return next(answers, b"\x6a\x82")

    with suppress(CardError):
        identify(transmit)
    with suppress(CardError):
        survey(transmit)
    files = FileSystem(Channel(transmit))
    for name in KNOWN_FILES:
        with suppress(CardError):
            read_path(files, locate(files, name))
    with suppress(CardError):
        read_token(files, FilePath((0x7F50,)))
    with suppress(CardError):
        usim.Usim.open(files).authenticate(_RAND, _RAND)


def cards() -> Iterator[bytes]:
    """What good cards answer."""
    with tempfile.TemporaryDirectory() as folder:
        for number, profile in enumerate(("operator", "key-only", "legacy", "token")):
            made = SoftCard.from_profile(profile, Path(folder, str(number)), {})
            recorded = _Recorder(made.transmit)
            made.reset()
            identify(recorded)
            survey(recorded)
            yield bytes(recorded.answers)


def packets(data: bytes) -> None:
    """A message for the software card: whatever it is, the card answers and lives on."""
    made = SoftCard.from_profile("operator")
    made.transmit(bytes.fromhex("801000000113"))
    for envelope in (data[:255], _download(data[:140])):
        assert len(made.transmit(b"\x80\xc2\x00\x00" + bytes([len(envelope)]) + envelope)) >= 2
    assert made.transmit(bytes.fromhex("00A4000C023F00")) == b"\x90\x00"
    with suppress(FormatError):
        downloads(data)


def _download(user_data: bytes) -> bytes:
    tpdu = bytes.fromhex("44048100007FF6") + bytes(7) + bytes([len(user_data)]) + user_data
    return tlv_encode(0xD1, tlv_encode(0x82, b"\x83\x81") + tlv_encode(0x8B, tpdu))


def secured_packets() -> Iterator[bytes]:
    script = bytes.fromhex("00A4080C047F506432 00D60000020102")
    for each in (script, script * 20):
        data = downloads_of(_OTA_KEYS, [each], 1, NOW)
        for one in downloads(data):
            yield one
            yield one[-140:]


def receipt(data: bytes) -> None:
    """What a card, or who speaks for it, says to a server's packets."""
    assert shortfall(_OTA_KEYS, 1, 1, [data])


def receipts() -> Iterator[bytes]:
    keys = Scp80Keys(_OTA_KEYS.kic, _OTA_KEYS.cipher_key, _OTA_KEYS.kid, _OTA_KEYS.checksum_key)
    # Of another packet than the one that is waited for: else a good one would be no bug.
    for spi in (b"\x00\x01", b"\x16\x19"):
        indicator = Scp80Spi.from_bytes(spi)
        yield b"\x02\x71\x00" + keys.build_response(
            b"\x01\x90\x00", spi=indicator, tar=_OTA_KEYS.tar, status=0, counter=2
        )


class _Recorder:
    def __init__(self, transmit: Transmit) -> None:
        self._transmit = transmit
        self.answers = bytearray()

    def __call__(self, command: bytes) -> bytes:
        answer = self._transmit(command)
        self.answers += len(answer).to_bytes(2, "big") + answer
        return answer


@contextmanager
def _registry() -> Iterator[tuple[Registry, Operator]]:
    """A registry in memory, and an operator's calls on it."""
    registry = Registry(":memory:")
    try:
        yield registry, Operator(registry, server_id="dms.example.org", now_ms=lambda: NOW)
    finally:
        registry.close()


def _chunks(data: bytes) -> Iterator[bytes]:
    while len(data) >= 2:
        length = int.from_bytes(data[:2], "big")
        yield data[2 : 2 + length]
        data = data[2 + length :]


TARGETS = {
    "message": Target(message, messages),
    "document": Target(document, provisioning_documents),
    "tree_object": Target(tree_object, tree_objects),
    "description": Target(description, descriptions),
    "package0": Target(package0, notifications),
    "client_session": Target(client_session, messages),
    "server_session": Target(server_session, first_messages),
    "operator_call": Target(operator_call, operator_bodies),
    "http_headers": Target(http_headers, headers),
    "bootstrapping_info": Target(bootstrapping_info, infos),
    "card_data": Target(card_data, card_files),
    "card": Target(card, cards),
    "packets": Target(packets, secured_packets),
    "receipt": Target(receipt, receipts),
    "rendered": Target(rendered, values),
}
