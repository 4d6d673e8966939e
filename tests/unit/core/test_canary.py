"""P11 at the crypto door: keys go in, and no byte of them comes out by accident.

Every function and class that takes a key is driven with keys that occur nowhere else; then they are
looked for wherever a program may put what it has in hand: texts, exceptions, tracebacks with
local variables, logs, pickles, copies, attributes, a dump by faulthandler.
"""

from __future__ import annotations

import ast
import base64
import copy
import faulthandler
import gc
import hashlib
import logging
import pickle
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cardea_core as core
import pytest
from cardea_core import CoreError, Secret

from .scp02_card import Scp02Card
from .scp02_card import session_key as scp02_session_key
from .scp03_card import Scp03Card

STUB = Path(core.__file__).with_name("_native.pyi")
RAND, SQN, AMF = bytes(16), bytes(6), bytes(2)
NETWORK = "5G:mnc001.mcc001.3gppnetwork.org"
SPI = core.Scp80Spi(check="cc", ciphered=True)
PROOF = core.Scp80Spi(receipt="always", receipt_check="cc", receipt_ciphered=True)


def canary(number: int, length: int = 16) -> bytes:
    return hashlib.sha256(b"canary %d" % number).digest()[:length]


K, OTHER, LONG = canary(1), canary(2), canary(3, 32)
MILENAGE_SUBSCRIBERS, TUAK_SUBSCRIBERS = K + OTHER, K + LONG
RECEIPT = core.Scp80Keys(0x15, K, 0x15, OTHER).build_response(
    b"", spi=PROOF, tar=AMF + b"\0", status=0
)
SCP03 = Scp03Card(K, OTHER, RAND[:8])
SCP02 = Scp02Card(K, OTHER, 7, RAND[:6])


def scp03() -> tuple[Any, ...]:
    host = core.Scp03Host(Secret(K), Secret(OTHER), challenge=RAND[:8])
    opening = host.receive(SCP03.initialize_update(host.initialize_update()))
    session = opening.confirm(SCP03.external_authenticate(opening.external_authenticate))
    spare = core.Scp03Host(Secret(K), Secret(OTHER), challenge=RAND[:8])
    return host, opening, session, spare


def scp02() -> tuple[Any, ...]:
    host = core.Scp02Host(Secret(K), Secret(OTHER), challenge=RAND[:8])
    opening = host.receive(SCP02.initialize_update(host.initialize_update()))
    session = opening.confirm(SCP02.external_authenticate(opening.external_authenticate))
    return host, opening, session, core.scp02_wrap_many([session], bytes.fromhex("80CA0066"))


def milenage() -> Any:
    return core.Milenage(Secret(K), Secret(OTHER))


# For each name of the door that takes a key: a use that succeeds, and one that fails with the key
# in hand. What a use returns is looked at; results that are secrets themselves are `Secret`s.
USES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "Secret": (lambda: Secret(K), lambda: pickle.dumps(Secret(K))),
    "Milenage": (
        lambda: (m := milenage(), m.opc, m.vector(RAND, SQN, AMF), m.f2(RAND), m.f3(RAND)),
        lambda: core.Milenage(K + b"\0", OTHER),
    ),
    "Milenage.from_op": (
        lambda: core.Milenage.from_op(Secret(K), Secret(OTHER)),
        lambda: core.Milenage.from_op(K, OTHER[:-1]),
    ),
    "Tuak": (
        lambda: core.Tuak(Secret(K), Secret(LONG)).open_autn,
        lambda: core.Tuak(K, LONG).open_autn(RAND, RAND),
    ),
    "Tuak.from_top": (
        lambda: core.Tuak.from_top(Secret(K), Secret(LONG)).topc,
        lambda: core.Tuak.from_top(K, LONG, iterations=0),
    ),
    "milenage_vectors": (
        lambda: core.milenage_vectors(Secret(K + OTHER), RAND, SQN, AMF, bytearray(56)),
        lambda: core.milenage_vectors(MILENAGE_SUBSCRIBERS, RAND, SQN, AMF, bytearray(55)),
    ),
    "tuak_vectors": (
        lambda: core.tuak_vectors(Secret(K + LONG), RAND, SQN, AMF, bytearray(56)),
        lambda: core.tuak_vectors(TUAK_SUBSCRIBERS, RAND, SQN, AMF, bytearray(55)),
    ),
    "diversified_keys_des": (
        lambda: core.diversified_keys_des(Secret(K), RAND[:10], bytearray(48)),
        lambda: core.diversified_keys_des(K, RAND[:10], bytearray(47)),
    ),
    "diversified_keys_aes": (
        lambda: core.diversified_keys_aes(Secret(LONG), RAND[:10], bytearray(96)),
        lambda: core.diversified_keys_aes(LONG, RAND[:10], bytearray(95)),
    ),
    "res_star": (
        lambda: core.res_star(Secret(K), Secret(OTHER), NETWORK, RAND, Secret(LONG)),
        lambda: core.res_star(K, OTHER, NETWORK, RAND, LONG + K),
    ),
    "hres_star": (
        lambda: core.hres_star(RAND, Secret(K)),
        lambda: core.hres_star(RAND, LONG),
    ),
    "k_ausf": (
        lambda: core.k_ausf(Secret(K), Secret(OTHER), NETWORK, SQN),
        lambda: core.k_ausf(K, LONG, NETWORK, SQN),
    ),
    "k_seaf": (lambda: core.k_seaf(Secret(LONG), NETWORK), lambda: core.k_seaf(K, NETWORK)),
    "gba_ks_naf": (
        lambda: core.gba_ks_naf(Secret(K), Secret(OTHER), RAND, "a@b", b"naf"),
        lambda: core.gba_ks_naf(LONG, OTHER, RAND, "a@b", b"naf"),
    ),
    "gba_ks_int_naf": (
        lambda: core.gba_ks_int_naf(Secret(K), Secret(OTHER), RAND, "a@b", b"naf"),
        lambda: core.gba_ks_int_naf(K, LONG, RAND, "a@b", b"naf"),
    ),
    "dm_md5": (lambda: core.dm_md5("u", Secret(K), b"n"), lambda: core.dm_md5("u", Secret(K), 1)),  # type: ignore[arg-type]
    "dm_md5_verify": (lambda: None, lambda: core.dm_md5_verify("u", K, b"n", "wrong")),
    "dm_hmac": (
        lambda: core.dm_hmac("u", Secret(K), b"n", b"b"),
        lambda: core.dm_hmac("u", K, b"n", 1),  # type: ignore[arg-type]
    ),
    "dm_hmac_verify": (lambda: None, lambda: core.dm_hmac_verify("u", K, b"n", b"b", "wrong")),
    "dm_notification_digest": (
        lambda: core.dm_notification_digest("s", Secret(K), b"n", b"t"),
        lambda: core.dm_notification_digest("s", K, b"n", 1),  # type: ignore[arg-type]
    ),
    "http_digest": (
        lambda: core.http_digest(
            username="u", realm="r", password=Secret(K), method="GET", uri="/", nonce="n"
        ),
        lambda: core.http_digest(
            username="u", realm="r", password=K, method="GET", uri="/", nonce="n", qop="no"
        ),
    ),
    "push_mac": (lambda: core.push_mac(Secret(K), b"b"), lambda: core.push_mac(K, 1)),  # type: ignore[arg-type]
    "push_mac_verify": (lambda: None, lambda: core.push_mac_verify(K, b"b", "wrong")),
    "push_network_key": (
        lambda: core.push_network_key("001010123456789", Secret(K)),
        lambda: core.push_network_key("wrong", K),
    ),
    "Scp03Host": (scp03, lambda: core.Scp03Host(K, LONG, challenge=RAND[:8])),
    "scp03_card_challenge": (
        lambda: core.scp03_card_challenge(Secret(K), b"\0\0\1", b"aid", 8),
        lambda: core.scp03_card_challenge(K, b"\0\0\1", b"aid", 9),
    ),
    "Scp02Host": (scp02, lambda: core.Scp02Host(K, LONG, challenge=RAND[:8])),
    "Scp80Keys": (
        lambda: core.Scp80Keys(0x12, Secret(K), 0x12, Secret(OTHER)),
        lambda: core.Scp80Keys(0x15, K, 0x15, OTHER).open_command(b"\0" * 40, least=SPI),
    ),
    "scp80_commands": (
        lambda: core.scp80_commands(
            0x12,
            Secret(K),
            0x12,
            Secret(OTHER),
            counters=bytes(5),
            data=b"d",
            spi=SPI,
            tar=AMF + b"\0",
        ),
        lambda: core.scp80_commands(
            0x12, LONG + b"\0", 0x12, OTHER, counters=bytes(5), data=b"d", spi=SPI, tar=AMF
        ),
    ),
    "scp80_receipts": (
        lambda: core.scp80_receipts(
            0x15, Secret(K), 0x15, Secret(OTHER), counters=bytes(5), packets=RECEIPT, spi=PROOF
        ),
        lambda: core.scp80_receipts(
            0x15, K, 0x15, OTHER, counters=bytes(5), packets=RECEIPT[1:], spi=PROOF
        ),
    ),
}


def derived() -> Iterator[bytes]:
    """Session keys by a second implementation, in another library."""
    scp03()
    yield from SCP03.keys.values()
    for constant in (b"\x01\x82", b"\x01\x01", b"\x01\x02"):
        yield scp02_session_key(K if constant == b"\x01\x82" else OTHER, constant, b"\x00\x07")
    yield core.Milenage(K, OTHER).f3(RAND).expose()
    yield core.gba_ks_naf(K, OTHER, RAND, "a@b", b"naf").expose()
    yield core.push_network_key("001010123456789", K).expose()


def forms(key: bytes) -> Iterator[str]:
    """How a key may look in a text; parts of it count as well."""
    for part in (key[:8], key[-8:], key[::-1][:8]):
        yield part.hex()
        yield part.hex().upper()
        yield part.hex(" ")
        yield repr(part)[2:-1]
        yield str(list(part))[1:-1]
        yield part.decode("latin-1")
    for offset in range(3):
        # Base64 of anything that has the key inside, whatever stands before it
        yield base64.b64encode(key[offset : offset + 9]).decode()


FORMS = [form for key in (K, OTHER, LONG, *derived()) for form in forms(key)]


def leaks(text: str | bytes) -> list[str]:
    text = text if isinstance(text, str) else text.decode("latin-1")
    return [form for form in FORMS if form in text]


def names_that_take_keys() -> Iterator[str]:
    """By the stub, which stubtest holds against the module."""

    def takes_key(function: ast.FunctionDef) -> bool:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        words = (ast.unparse(each.annotation) for each in arguments if each.annotation)
        return any("_Key" in word or "Secret" in word for word in words)

    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.FunctionDef) and takes_key(node):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and takes_key(method):
                    is_new = method.name == "__new__"
                    yield node.name if is_new else f"{node.name}.{method.name}"


def attributes(thing: object) -> Iterator[object]:
    """What the thing shows of itself without being called."""
    for name in dir(thing):
        if not name.startswith("__"):
            try:
                yield getattr(thing, name)
            except CoreError as error:  # a step that has been taken
                yield error


def results(value: object) -> list[object]:
    return list(value) if isinstance(value, tuple) else [value]


def is_key_object(thing: object) -> bool:
    return type(thing).__module__ == "cardea_core"


def test_every_name_that_takes_a_key_is_driven() -> None:
    assert set(names_that_take_keys()) == set(USES)


def test_the_search_finds_what_it_looks_for() -> None:
    for leak in (
        K.hex(),
        f"x{K!r}",
        str(list(K)),
        base64.b64encode(b"ab" + K).decode(),
        K[::-1].hex(),
    ):
        assert leaks(leak), leak


@pytest.mark.parametrize("name", USES)
def test_what_comes_back_shows_no_key(name: str) -> None:
    for thing in results(USES[name][0]()):
        shown = [repr(thing), str(thing), f"{thing}", repr(list(attributes(thing)))]
        # What it refers to; a `Secret` has its bytes where no Python object is
        shown += [repr(referent) for referent in gc.get_referents(thing)]
        assert not leaks("\n".join(shown))


@pytest.mark.parametrize("name", USES)
def test_nothing_that_holds_a_key_is_pickled_or_copied(name: str) -> None:
    for thing in filter(is_key_object, results(USES[name][0]())):
        for leave in (pickle.dumps, copy.copy, copy.deepcopy, vars):
            with pytest.raises(TypeError) as caught:
                leave(thing)
            assert not leaks(str(caught.value))


@pytest.mark.parametrize("name", USES)
def test_errors_tracebacks_and_logs_show_no_key(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    use = USES[name][1]
    try:
        use()
    except (CoreError, TypeError, BufferError) as error:
        shown = [str(error), repr(error), repr(error.args), repr(vars(error))]
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        # The caller's own variables apart: the core cannot keep bytes that it never had
        told.stack = traceback.StackSummary.from_list(told.stack[1:])
        shown += list(told.format())
        logging.getLogger("canary").exception("failed", exc_info=error)
        shown.append(caplog.text)
        assert not leaks("\n".join(shown))
    else:
        pytest.fail("it was to fail")


def test_a_dump_by_faulthandler_shows_no_key() -> None:
    things = [use() for use, _ in USES.values()]
    with tempfile.TemporaryFile() as dump:
        faulthandler.dump_traceback(dump, all_threads=True)
        dump.seek(0)
        assert not leaks(dump.read())
    assert things
