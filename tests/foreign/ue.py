"""A subscriber's device and card on Ub and Ua: MILENAGE, HTTP digest, Ks_NAF, all by hand.

TS 35.206 §4, RFC 3310, RFC 2617, TS 33.220 Annex B, TS 24.109.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from xml.etree import ElementTree

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

UA_HTTP_DIGEST = bytes.fromhex("0100000002")
UA_TLS = bytes.fromhex("010001")
# RFC 8446 annex B.4
SUITES = {
    "TLS_AES_128_GCM_SHA256": b"\x13\x01",
    "TLS_AES_256_GCM_SHA384": b"\x13\x02",
    "TLS_CHACHA20_POLY1305_SHA256": b"\x13\x03",
}


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _turned(block: bytes, octets: int) -> bytes:
    return block[octets:] + block[:octets]


@dataclass
class Usim:
    """The key on a card; ``sqn`` is the highest sequence number it has seen."""

    k: bytes
    opc: bytes
    sqn: int = 0

    def _aes(self, block: bytes) -> bytes:
        encryptor = Cipher(algorithms.AES(self.k), modes.ECB()).encryptor()
        return encryptor.update(block) + encryptor.finalize()

    def _out(self, rand: bytes, octets: int, constant: int) -> bytes:
        temp = _xor(self._aes(_xor(rand, self.opc)), self.opc)
        mixed = _xor(_turned(temp, octets), constant.to_bytes(16, "big"))
        return _xor(self._aes(mixed), self.opc)

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A ‖ MAC-S."""
        temp = self._aes(_xor(rand, self.opc))
        start = _turned(_xor((sqn + amf) * 2, self.opc), 8)
        return _xor(self._aes(_xor(temp, start)), self.opc)

    def keys(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """RES, CK, IK, AK, AK of resynchronisation."""
        second = self._out(rand, 0, 1)
        return (
            second[8:],
            self._out(rand, 4, 2),
            self._out(rand, 8, 4),
            second[:6],
            self._out(rand, 12, 8)[:6],
        )

    def authenticate(self, rand: bytes, autn: bytes) -> tuple[bytes, bytes, bytes] | bytes:
        """RES, CK, IK; or AUTS where the number was seen before. ValueError: not our network."""
        res, ck, ik, ak, ak_star = self.keys(rand)
        sqn = _xor(autn[:6], ak)
        if self.f1(rand, sqn, autn[6:8])[:8] != autn[8:]:
            raise ValueError("MAC-A")
        if int.from_bytes(sqn, "big") <= self.sqn:
            own = self.sqn.to_bytes(6, "big")
            return _xor(own, ak_star) + self.f1(rand, own, b"\0\0")[8:]
        self.sqn = int.from_bytes(sqn, "big")
        return res, ck, ik

    def vector(
        self, rand: bytes, sqn: int, amf: bytes = b"\x80\0"
    ) -> tuple[bytes, bytes, bytes, bytes]:
        """The network's side: AUTN, XRES, CK, IK."""
        res, ck, ik, ak, _ = self.keys(rand)
        number = sqn.to_bytes(6, "big")
        autn = _xor(number, ak) + amf + self.f1(rand, number, amf)[:8]
        return autn, res, ck, ik


def ks_naf(
    ck: bytes, ik: bytes, rand: bytes, impi: str, fqdn: str, protocol: bytes = UA_HTTP_DIGEST
) -> bytes:
    """TS 33.220 Annex B.3."""
    naf = fqdn.encode() + protocol
    text = b"\x01"
    for part in (b"gba-me", rand, impi.encode(), naf):
        text += part + len(part).to_bytes(2, "big")
    return hmac.digest(ck + ik, text, "sha256")


# -- HTTP digest


def md5(*parts: bytes | str) -> str:
    joined = b":".join(p.encode() if isinstance(p, str) else p for p in parts)
    return hashlib.md5(joined).hexdigest()


def response(given: dict[str, str], password: bytes, method: str, body: bytes) -> str:
    """RFC 2617 §3.2.2.1; an empty method gives rspauth."""
    a1 = md5(given["username"], given["realm"], password)
    a2 = [method, given["uri"]]
    if given.get("qop") == "auth-int":
        a2.append(hashlib.md5(body).hexdigest())
    if given.get("qop"):
        middle = (given["nonce"], given["nc"], given["cnonce"], given["qop"])
        return md5(a1, *middle, md5(*a2))
    return md5(a1, given["nonce"], md5(*a2))


def parameters(header: str) -> dict[str, str]:
    """Of a digest header as our own programs write it, and others."""
    found: dict[str, str] = {}
    rest = header.strip()
    if rest.lower().startswith("digest "):
        rest = rest[7:]
    while rest := rest.lstrip(" \t,"):
        name, _, rest = rest.partition("=")
        rest = rest.lstrip()
        if rest.startswith('"'):
            value, _, rest = rest[1:].partition('"')
        else:
            value, _, rest = rest.partition(",")
        found[name.strip().lower()] = value.strip()
    return found


_BARE = ("algorithm", "qop", "nc", "stale")


@dataclass(frozen=True)
class Style:
    """How an Authorization header is written."""

    name: str
    bare: tuple[str, ...] = _BARE
    separator: str = ", "
    equals: str = "="
    backwards: bool = False
    capitals: bool = False
    scheme: str = "Digest"
    more: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()

    def header(self, given: dict[str, str]) -> str:
        pairs = [(n, v) for n, v in [*given.items(), *self.more] if n not in self.without]
        if self.backwards:
            pairs.reverse()
        words = []
        for name, value in pairs:
            text = value if name in self.bare else f'"{value}"'
            words.append(f"{name.upper() if self.capitals else name}{self.equals}{text}")
        return f"{self.scheme} {self.separator.join(words)}"


STYLES = [
    Style("usual"),
    Style("all quoted", bare=()),
    Style("only nc bare", bare=("nc",)),
    Style("backwards", backwards=True),
    Style("no spaces", separator=","),
    Style("many spaces", separator=" ,\t ", equals=" = "),
    Style("capitals", capitals=True),
    Style("other scheme", scheme="DIGEST"),
    Style("more parameters", more=(("auth-param", "x,y=z"), ("charset", "UTF-8"))),
    Style("no algorithm", without=("algorithm",)),
]


@dataclass
class Ue:
    """What a device does on Ub and Ua. ``post`` and ``get`` send a request."""

    impi: str
    usim: Usim
    bsf: str
    style: Style = STYLES[0]
    qop: str = "auth-int"
    count: str = "00000001"
    uri: str = "/"
    keys: tuple[bytes, bytes, bytes] | None = None
    btid: str = ""
    codes: list[int] = field(default_factory=list)

    def first(self) -> str:
        """Authorization of the first request (TS 24.109 §4.3)."""
        given = {
            "username": self.impi,
            "realm": self.bsf,
            "nonce": "",
            "uri": self.uri,
            "response": "",
        }
        return self.style.header(given)

    def answer(self, challenge: str) -> tuple[str, dict[str, str], bytes]:
        """Authorization for a challenge, what it states, and the password."""
        told = parameters(challenge)
        nonce = base64.b64decode(told["nonce"])
        rand, autn = nonce[:16], nonce[16:32]
        found = self.usim.authenticate(rand, autn)
        given = {
            "username": self.impi,
            "realm": told["realm"],
            "nonce": told["nonce"],
            "uri": self.uri,
            "qop": self.qop,
            "nc": self.count,
            "cnonce": "6629fae49393a05397450978507c4ef1",
            "algorithm": told["algorithm"],
        }
        if "opaque" in told:
            given["opaque"] = told["opaque"]
        if isinstance(found, bytes):
            given["auts"] = base64.b64encode(found).decode()
            password = b""
        else:
            password, ck, ik = found
            self.keys = (rand, ck, ik)
        given["response"] = response(given, password, "GET", b"")
        return self.style.header(given), given, password

    def bootstrapped(self, body: bytes) -> str:
        """Take the answer; the key's lifetime."""
        root = ElementTree.fromstring(body)
        space = "{uri:3gpp-gba}"
        assert root.tag == f"{space}BootstrappingInfo"
        self.btid = root.findtext(f"{space}btid") or ""
        return root.findtext(f"{space}lifetime") or ""

    def naf_password(self, fqdn: str, protocol: bytes = UA_HTTP_DIGEST) -> bytes:
        assert self.keys is not None
        rand, ck, ik = self.keys
        return base64.b64encode(ks_naf(ck, ik, rand, self.impi, fqdn, protocol))
