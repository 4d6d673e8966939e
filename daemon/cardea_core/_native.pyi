"""The compiled core: codecs, session cryptography, the management tree, the acceptor."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import ClassVar, Literal, Never, Self, final

from typing_extensions import Buffer

__all__ = [
    "Acceptor",
    "AcceptorError",
    "Acls",
    "AuthVector",
    "BadMac",
    "Change",
    "Claim",
    "CodecError",
    "CoreError",
    "CryptoError",
    "Element",
    "Entry",
    "Layer",
    "Milenage",
    "Node",
    "Nodes",
    "Peer",
    "Scp02Host",
    "Scp02Opening",
    "Scp02Session",
    "Scp03Host",
    "Scp03Opening",
    "Scp03Session",
    "Scp80Command",
    "Scp80Keys",
    "Scp80Response",
    "Scp80Spi",
    "Secret",
    "SmsSegment",
    "Snapshot",
    "SqnWindow",
    "Tlv",
    "TlvError",
    "TreeError",
    "Tuak",
    "canonical_path",
    "diversified_keys_aes",
    "diversified_keys_des",
    "dm_hmac",
    "dm_hmac_verify",
    "dm_md5",
    "dm_md5_verify",
    "dm_notification_digest",
    "gba_ks_int_naf",
    "gba_ks_naf",
    "hres_star",
    "http_digest",
    "k_ausf",
    "k_seaf",
    "merge",
    "milenage_vectors",
    "naf_id",
    "push_mac",
    "push_mac_verify",
    "push_network_key",
    "res_star",
    "scp02_unwrap_many",
    "scp02_wrap_many",
    "scp03_card_challenge",
    "scp80_commands",
    "scp80_receipts",
    "sms_assemble",
    "sms_cut",
    "sqn_after_resynchronisation",
    "sqn_next",
    "tlv_decode",
    "tlv_encode",
    "tuak_vectors",
    "wbxml_decode",
    "wbxml_encode",
    "xml_decode",
    "xml_encode",
]

_SourceKind = Literal["device", "card", "server"]

class CoreError(Exception):
    """Base of everything this module raises; `code` names the cause."""

    code: str

class TlvError(CoreError):
    """BER-TLV that cannot be read or written; `offset` is where."""

    offset: int | None

class CodecError(CoreError):
    """XML or WBXML that cannot be read or written; `offset` is where."""

    offset: int | None

class CryptoError(CoreError):
    """An input of a wrong shape, or a check that failed."""

class BadMac(CryptoError):
    """A message authentication code or credential that does not fit."""

class TreeError(CoreError):
    """A path or a claim that the management tree does not allow."""

# --- keys --------------------------------------------------------------------------------------

@final
class Secret:
    """Key material: wiped when the last reference goes; not printed, pickled, copied or hashed.

    A `bytes` handed in or out cannot be wiped: keep keys as `Secret`, read files into a bytearray.
    """

    def __new__(cls, data: Secret | Buffer, /) -> Self: ...
    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool:
        """Whether the other is a `Secret` of the same bytes, in constant time."""

    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # a hash would tell of the key
    def __reduce__(self) -> Never: ...
    def expose(self) -> bytes:
        """The bytes, in a copy that cannot be wiped."""

_Key = Secret | Buffer

# --- BER-TLV -----------------------------------------------------------------------------------

@final
class Tlv:
    """One data object (ISO/IEC 7816-4 §5.2.2). `value` is the bare content, also of children."""

    @property
    def tag(self) -> int:
        """The tag bytes as one big-endian number: 0x7F21, 0xA7."""

    @property
    def constructed(self) -> bool: ...
    @property
    def value(self) -> bytes: ...
    @property
    def children(self) -> tuple[Tlv, ...]: ...
    def find(self, tag: int) -> Tlv | None:
        """The first child with the tag."""

    def findall(self, tag: int) -> list[Tlv]:
        """The children with the tag, in order."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

def tlv_decode(data: Buffer, *, max_depth: int = 16) -> list[Tlv]:
    """The data objects in `data`; 00 and FF around them are padding (ISO/IEC 7816-4 §5.2.2.1).

    TlvError with `offset` and one of the codes truncated, bad_tag, bad_length, too_deep,
    too_many_objects. Tags have up to four bytes, lengths are definite; depth is at most 64.
    """

def tlv_encode(tag: int, value: Buffer) -> bytes:
    """One data object with the shortest length form. TlvError bad_tag, too_long."""

# --- documents ---------------------------------------------------------------------------------

@final
class Element:
    """An element with its effective namespace: one without its own has its parent's.

    Content is a tuple of elements, texts (never empty, never two in a row) and bytes. Bytes are
    OPAQUE in WBXML. Names are checked when an element is made: CodecError bad_name,
    duplicate_attribute, too_many_attributes, too_deep.
    """

    def __new__(
        cls,
        name: str,
        content: Iterable[Element | str | bytes] = (),
        *,
        attributes: Iterable[tuple[str, str]] = (),
        namespace: str = "",
    ) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str:
        """The namespace URI; "" for none."""

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def content(self) -> tuple[Element | str | bytes, ...]: ...
    @property
    def text(self) -> str:
        """Texts and bytes together as text, children left out. CodecError bad_text if not UTF-8."""

    @property
    def data(self) -> bytes:
        """Texts and bytes together as bytes, children left out."""

    def find(self, name: str) -> Element | None:
        """The first child of a local name, whatever its namespace."""

    def findall(self, name: str) -> list[Element]:
        """The children of a local name, whatever their namespace."""

    def attribute(self, name: str) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

def xml_decode(data: Buffer, *, max_depth: int = 64, max_bytes: int = 1048576) -> Element:
    """The root element of an XML document in UTF-8; CodecError with `code` and `offset`.

    A document type is skipped, an internal subset refused (dtd_refused); entities are the five
    predefined ones and character references. White space between child elements is dropped.
    """

def xml_encode(root: Element) -> bytes:
    """The document, not indented. CodecError binary_content, bad_character."""

def wbxml_decode(data: Buffer, *, max_depth: int = 64, max_bytes: int = 1048576) -> Element:
    """The root element of a WBXML 1.1 to 1.3 document; CodecError with `code` and `offset`.

    PROV 1.0, SyncML 1.1 and 1.2 with meta information and management trees on their code pages,
    DM DDF 1.2; the public identifier as number or as text, or missing. OPAQUE becomes bytes.
    `max_bytes` also bounds the text that string table references expand to.
    """

def wbxml_encode(root: Element) -> bytes:
    """The document in WBXML 1.3, its type told by the root: wap-provisioningdoc, SyncML, MgmtTree.

    CodecError unknown_document_type, bad_character (a NUL in text).
    """

# --- session cryptography ----------------------------------------------------------------------

@final
class AuthVector:
    """What a home network hands out for one authentication (TS 33.102 §6.3.2)."""

    @property
    def rand(self) -> bytes: ...
    @property
    def autn(self) -> bytes: ...
    @property
    def xres(self) -> Secret: ...
    @property
    def ck(self) -> Secret: ...
    @property
    def ik(self) -> Secret: ...

@final
class Milenage:
    """MILENAGE (TS 35.206). CryptoError wrong_length names the field, bad_input.

    An operator may have chosen its own r1 to r5 (`rotations`, bits, less than 128) and c1 to c5
    (`constants`, one after the other, 80 bytes); without them they are the standard's.
    """

    def __new__(
        cls,
        k: _Key,
        opc: _Key,
        *,
        rotations: Sequence[int] | None = None,
        constants: Buffer | None = None,
    ) -> Self: ...
    @staticmethod
    def from_op(
        k: _Key,
        op: _Key,
        *,
        rotations: Sequence[int] | None = None,
        constants: Buffer | None = None,
    ) -> Milenage:
        """From the operator's common value, which is bound to the key first (§4.1)."""

    @property
    def opc(self) -> Secret: ...
    def vector(self, rand: Buffer, sqn: Buffer, amf: Buffer) -> AuthVector:
        """AUTN = SQN xor AK ‖ AMF ‖ MAC-A; `rand` 16 bytes, `sqn` 6, `amf` 2."""

    def open_autn(self, rand: Buffer, autn: Buffer) -> bytes:
        """The SQN in a token, its MAC-A checked: what a card does. BadMac."""

    def auts(self, rand: Buffer, sqn_ms: Buffer) -> bytes:
        """The resynchronisation token of a card at `sqn_ms` (TS 33.102 §6.3.3)."""

    def resync(self, rand: Buffer, auts: Buffer) -> bytes:
        """SQN_MS from a resynchronisation token (TS 33.102 §6.3.5). BadMac."""

    def f1(self, rand: Buffer, sqn: Buffer, amf: Buffer) -> bytes: ...
    def f1_star(self, rand: Buffer, sqn: Buffer, amf: Buffer) -> bytes: ...
    def f2(self, rand: Buffer) -> Secret: ...
    def f3(self, rand: Buffer) -> Secret: ...
    def f4(self, rand: Buffer) -> Secret: ...
    def f5(self, rand: Buffer) -> bytes: ...
    def f5_star(self, rand: Buffer) -> bytes: ...

@final
class Tuak:
    """TUAK (TS 35.231): `k` has 16 or 32 bytes, `topc` 32. CryptoError wrong_length, bad_input.

    Lengths are in bytes: MAC 8, 16, 32; RES 4, 8, 16, 32; CK and IK 16, 32. `iterations` of Keccak
    are at most a million.
    """

    def __new__(
        cls,
        k: _Key,
        topc: _Key,
        *,
        mac_length: int = 8,
        res_length: int = 8,
        ck_length: int = 16,
        ik_length: int = 16,
        iterations: int = 1,
    ) -> Self: ...
    @staticmethod
    def from_top(
        k: _Key,
        top: _Key,
        *,
        mac_length: int = 8,
        res_length: int = 8,
        ck_length: int = 16,
        ik_length: int = 16,
        iterations: int = 1,
    ) -> Tuak:
        """From the operator's common value, which is bound to the key first (§7.1)."""

    @property
    def topc(self) -> Secret: ...
    def vector(self, rand: Buffer, sqn: Buffer, amf: Buffer) -> AuthVector:
        """AUTN = SQN xor AK ‖ AMF ‖ MAC-A; `rand` 16 bytes, `sqn` 6, `amf` 2."""

    def open_autn(self, rand: Buffer, autn: Buffer) -> bytes:
        """The SQN in a token, its MAC-A checked: what a card does. BadMac."""

    def auts(self, rand: Buffer, sqn_ms: Buffer) -> bytes:
        """The resynchronisation token of a card at `sqn_ms` (TS 33.102 §6.3.3)."""

    def resync(self, rand: Buffer, auts: Buffer) -> bytes:
        """SQN_MS from a resynchronisation token (TS 33.102 §6.3.5). BadMac."""

    def f1(self, rand: Buffer, sqn: Buffer, amf: Buffer) -> bytes: ...
    def f1_star(self, rand: Buffer, sqn: Buffer, amf: Buffer) -> bytes: ...
    def f2(self, rand: Buffer) -> Secret: ...
    def f3(self, rand: Buffer) -> Secret: ...
    def f4(self, rand: Buffer) -> Secret: ...
    def f5(self, rand: Buffer) -> bytes: ...
    def f5_star(self, rand: Buffer) -> bytes: ...

def milenage_vectors(
    subscribers: _Key,
    rands: Buffer,
    sqns: Buffer,
    amf: Buffer,
    vectors: Buffer,
    /,
    *,
    rotations: Sequence[int] | None = None,
    constants: Buffer | None = None,
) -> None:
    """Vectors for many subscribers, on all processors, while the interpreter is free.

    Everything lies one after the other: K ‖ OPc (32 bytes) of each subscriber, RAND (16), SQN (6);
    `amf` is everyone's, as the constants are: see Milenage. AUTN ‖ XRES ‖ CK ‖ IK (56) of each go
    into the writable buffer `vectors`, which the caller can wipe. CryptoError wrong_length names
    the buffer, bad_input the rotations; BufferError read-only.
    """

def tuak_vectors(
    subscribers: _Key,
    rands: Buffer,
    sqns: Buffer,
    amf: Buffer,
    vectors: Buffer,
    /,
    *,
    key_length: int = 16,
    mac_length: int = 8,
    res_length: int = 8,
    ck_length: int = 16,
    ik_length: int = 16,
    iterations: int = 1,
) -> None:
    """TUAK vectors for many subscribers, on all processors, while the interpreter is free.

    Everything lies one after the other: K ‖ TOPc of each subscriber, RAND (16), SQN (6); `amf` is
    everyone's. AUTN ‖ XRES ‖ CK ‖ IK of each go into the writable buffer `vectors`, which the
    caller can wipe. CryptoError wrong_length names the buffer; BufferError read-only.
    """

def diversified_keys_des(master: _Key, data: Buffer, keys: Buffer, /) -> None:
    """K-ENC ‖ K-MAC ‖ K-DEK, 48 bytes a card, from a master key of 16 (EMV CPS 1.1), for SCP02.

    `data` has the ten bytes of each card that INITIALIZE UPDATE answers with, `keys` is a writable
    buffer, which the caller can wipe. On all processors, while the interpreter is free.
    CryptoError wrong_length names the buffer; BufferError read-only.
    """

def diversified_keys_aes(master: _Key, data: Buffer, keys: Buffer, /) -> None:
    """The same for AES and SCP03: SP 800-108 in counter mode over AES-CMAC.

    Keys are as long as `master`: 16, 24 or 32 bytes. The input is the counter (1 byte), the label
    000000 ‖ number of the key (1 ENC, 2 MAC, 3 DEK), 00, `data`: what tools call KDF3.
    """

def res_star(ck: _Key, ik: _Key, network: str, rand: Buffer, res: _Key) -> Secret:
    """RES*, in the network XRES*: 16 bytes bound to the serving network (TS 33.501 A.4)."""

def hres_star(rand: Buffer, res_star: _Key) -> bytes:
    """HRES*, in the network HXRES*: what the serving network compares (TS 33.501 A.5)."""

def k_ausf(ck: _Key, ik: _Key, network: str, concealed_sqn: Buffer) -> Secret:
    """K_AUSF, 32 bytes, from the first six bytes of AUTN (TS 33.501 A.2)."""

def k_seaf(k_ausf: _Key, network: str) -> Secret:
    """K_SEAF, 32 bytes (TS 33.501 A.6)."""

def sqn_next(
    last: Buffer, *, clock: int | None = None, clock_bits: int = 24, most_ahead: int = 65536
) -> bytes:
    """The network's next sequence number, of the next index (TS 33.102 C.1). 5 bits are the index.

    With a `clock` in tenths of a second the numbers follow it (C.1.1.2), without they are counted.
    `clock_bits` of them do (n), and are ahead of it by less than `most_ahead` (D); those of profile
    1 (C.3.1), unless the operator has others. CryptoError counter_blocked at the end of all
    numbers, bad_input for a clock that cannot be followed.
    """

def sqn_after_resynchronisation(network: Buffer, card: Buffer) -> bytes:
    """What the network continues from once a card has sent its number (TS 33.102 §6.3.5)."""

@final
class SqnWindow:
    """The sequence numbers that a card has seen: the highest for each of 32 indices (C.2.2)."""

    def __new__(cls, sqn: Buffer) -> Self: ...
    @staticmethod
    def from_seen(seen: Sequence[int]) -> SqnWindow:
        """From what `seen` gave: 32 numbers of 43 bits. CryptoError bad_input."""

    @property
    def seen(self) -> list[int]: ...
    @property
    def highest(self) -> bytes:
        """SQN_MS, for a resynchronisation token."""

    def accept(self, sqn: Buffer, *, age_limit: int | None = None) -> SqnWindow:
        """The window after a number whose token has been found right.

        CryptoError counter_low (not fresh), counter_high (more than 2^28 ahead): the card answers
        with a resynchronisation token.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

def gba_ks_naf(ck: _Key, ik: _Key, rand: Buffer, impi: str, naf_id: Buffer) -> Secret:
    """Ks_NAF of GBA_ME, 32 bytes (TS 33.220 B.3)."""

def gba_ks_int_naf(ck: _Key, ik: _Key, rand: Buffer, impi: str, naf_id: Buffer) -> Secret:
    """Ks_int_NAF of GBA_U, 32 bytes (TS 33.220 B.3)."""

def naf_id(fqdn: str, ua_protocol: Buffer) -> bytes:
    """The name of the server followed by the five bytes of the Ua protocol (TS 33.220 annex H)."""

def dm_md5(user: str, password: _Key, nonce: Buffer) -> str:
    """Cred/Data of syncml:auth-md5, base64 (DM Security 1.2 §5.3)."""

def dm_md5_verify(user: str, password: _Key, nonce: Buffer, presented: str) -> None:
    """Check Cred/Data in constant time. BadMac."""

def dm_hmac(user: str, password: _Key, nonce: Buffer, body: Buffer) -> str:
    """mac= of the header x-syncml-hmac, base64 (DM Security 1.2 §5.4)."""

def dm_hmac_verify(user: str, password: _Key, nonce: Buffer, body: Buffer, presented: str) -> None:
    """Check mac= of the header x-syncml-hmac in constant time. BadMac."""

def dm_notification_digest(server_id: str, password: _Key, nonce: Buffer, trigger: Buffer) -> bytes:
    """The 16 bytes in front of a notification's trigger (DM Notification 1.2 §6.2)."""

def http_digest(
    *,
    username: str,
    realm: str,
    password: _Key,
    method: str,
    uri: str,
    nonce: str,
    nc: str = "",
    cnonce: str = "",
    qop: str | None = None,
    body: Buffer = b"",
) -> str:
    """`response` with MD5 in hexadecimal digits (RFC 2617 §3.2.2, RFC 7616 §3.4).

    `method=""` gives the server's `rspauth`; for AKAv1-MD5 the password is RES (RFC 3310 §3.3).
    `qop` is None, "auth" or "auth-int", which need `nc` and `cnonce`. CryptoError bad_input.
    """

def push_mac(key: _Key, body: Buffer) -> str:
    """The MAC parameter of a provisioning push: upper-case hexadecimal HMAC-SHA1."""

def push_mac_verify(key: _Key, body: Buffer, presented: str) -> None:
    """Check the MAC parameter of a provisioning push in constant time. BadMac."""

def push_network_key(imsi: str, pin: _Key | None = None) -> Secret:
    """The key of SEC=NETWPIN, with a PIN that of USERNETWPIN. CryptoError bad_input."""

# --- SCP03 -------------------------------------------------------------------------------------

@final
class Scp03Host:
    """The host's end of SCP03 (GPCS Amendment D) before the card has answered.

    Keys have 16, 24 or 32 bytes. `challenge` is fresh and random: 8 bytes for the mode S8, 16 for
    S16. `level` is 0x01 (C-MAC), 0x03 (and C-ENC), 0x11 (C-MAC, R-MAC), 0x13 or 0x33 (all four).
    With `aid`, a card challenge that comes from a counter is recomputed and must fit.
    `counts_data_less=False` is for cards whose encryption counter stands still at commands
    without data. CryptoError wrong_length, bad_input.
    """

    def __new__(
        cls,
        enc: _Key,
        mac: _Key,
        *,
        challenge: Buffer,
        level: int = 0x33,
        key_version: int = 0,
        key_id: int = 0,
        aid: Buffer | None = None,
        counts_data_less: bool = True,
    ) -> Self: ...
    def initialize_update(self) -> bytes:
        """The command to send."""

    def receive(self, response: Buffer) -> Scp03Opening:
        """Check the card's answer to it, status word included. Once: the challenge is spent.

        BadMac for another key; CryptoError card_refused, wrong_length, bad_input, wrong_state.
        """

    def __reduce__(self) -> Never: ...

@final
class Scp03Opening:
    """A card that has proved itself to the host, which has yet to do the same."""

    @property
    def external_authenticate(self) -> bytes:
        """The command to send."""

    @property
    def diversification(self) -> bytes:
        """Ten bytes that tell the card's keys from another's."""

    @property
    def key_version(self) -> int: ...
    @property
    def parameter(self) -> int:
        """The protocol parameter "i": what the card can do (Amendment D §5.1)."""

    @property
    def sequence_counter(self) -> bytes | None:
        """Where the card's challenge came from; None if it was drawn at random."""

    def confirm(self, response: Buffer) -> Scp03Session:
        """Take the card's answer. Once. CryptoError card_refused, wrong_state."""

    def __reduce__(self) -> Never: ...

@final
class Scp03Session:
    """An open channel: a command, then its response. A check that fails closes it."""

    @property
    def level(self) -> int: ...
    @property
    def counter(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def wrap(self, command: Buffer, /) -> bytes:
        """Protect a command APDU, short or extended.

        CryptoError too_long (239 bytes fit a short command at level 0x33, 223 in mode S16),
        bad_input, wrong_state; the session is then as it was.
        """

    def unwrap(self, response: Buffer, /) -> bytes:
        """The data and status word that the card has sent in answer to the last command.

        An error status comes back as it is: cards do not protect it. BadMac for a code or
        padding that does not fit; CryptoError wrong_state.
        """

    def __reduce__(self) -> Never: ...

def scp03_card_challenge(enc: _Key, sequence_counter: Buffer, aid: Buffer, length: int) -> bytes:
    """The challenge of a card that draws none at random (Amendment D §6.2.2.1), 8 or 16 bytes."""

# --- SCP02 -------------------------------------------------------------------------------------

@final
class Scp02Host:
    """The host's end of SCP02 (GPCS 2.3 appendix E, "i" = 15 and 55) before the card has answered.

    Keys have 16 bytes. `challenge` is fresh and random, 8 bytes. `level` is 0x01 (C-MAC), 0x03 (and
    C-ENC), 0x10 (R-MAC), 0x11 or 0x13. With `aid`, the challenge of a card of the form 55 is
    recomputed and must fit. CryptoError wrong_length, bad_input.
    """

    def __new__(
        cls,
        enc: _Key,
        mac: _Key,
        *,
        challenge: Buffer,
        level: int = 0x13,
        key_version: int = 0,
        aid: Buffer | None = None,
    ) -> Self: ...
    def initialize_update(self) -> bytes:
        """The command to send."""

    def receive(self, response: Buffer) -> Scp02Opening:
        """Check the card's answer to it, status word included. Once: the challenge is spent.

        BadMac for another key; CryptoError card_refused, wrong_length, bad_input, wrong_state.
        """

    def __reduce__(self) -> Never: ...

@final
class Scp02Opening:
    """A card that has proved itself to the host, which has yet to do the same."""

    @property
    def external_authenticate(self) -> bytes:
        """The command to send."""

    @property
    def diversification(self) -> bytes:
        """Ten bytes that tell the card's keys from another's."""

    @property
    def key_version(self) -> int: ...
    @property
    def sequence_counter(self) -> int: ...
    def confirm(self, response: Buffer) -> Scp02Session:
        """Take the card's answer. Once. CryptoError card_refused, wrong_state."""

    def __reduce__(self) -> Never: ...

@final
class Scp02Session:
    """An open channel: a command, then its response. A check that fails closes it."""

    @property
    def level(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def wrap(self, command: Buffer, /) -> bytes:
        """Protect a short command APDU.

        CryptoError too_long (247 bytes fit, 239 with C-ENC), bad_input, wrong_state; the session
        is then as it was.
        """

    def unwrap(self, response: Buffer, /) -> bytes:
        """The data and status word that the card has sent in answer to the last command.

        An error status comes back as it is: cards do not protect it. BadMac for a code that does
        not fit; CryptoError wrong_state.
        """

    def __reduce__(self) -> Never: ...

def scp02_wrap_many(
    sessions: Sequence[Scp02Session], commands: Buffer, /, *, own_commands: bool = False
) -> bytearray:
    """`wrap` for many sessions of one level, on all processors, while the interpreter is free.

    `commands` is everyone's, or with `own_commands` as long a one for each session, one after the
    other; they have as much data as one another. The protected commands are of one length, one
    after the other. CryptoError as for `wrap`, all sessions are then as they were; wrong_length
    names the buffer; bad_input for sessions of different levels; wrong_state for a session that is
    in use or has been named twice.
    """

def scp02_unwrap_many(sessions: Sequence[Scp02Session], responses: Buffer, /) -> bytearray:
    """`unwrap` for many sessions whose last commands were of one length.

    `responses` are of one length, one after the other: a card that has answered with another goes
    its own way by `unwrap`. Each session has a record: 1, the data and the status word that the
    card has sent; or zeros for a code that does not fit, which has closed the session. CryptoError
    as for `scp02_wrap_many`.
    """

# --- secured packets ---------------------------------------------------------------------------

_Check = Literal["none", "rc", "cc", "ds"]
_Counter = Literal["none", "unchecked", "higher", "next"]
_Receipt = Literal["never", "always", "on_error"]
_Packet = Literal["command", "response"]

@final
class Scp80Spi:
    """How a command packet is secured and answered: SPI (TS 102 225 §5.1.1, TS 31.115 §4.2).

    `check` is "none", "rc" (redundancy), "cc" (cryptographic) or "ds", for which the standard has
    no algorithm. `bytes()` of it gives the two bytes of a packet. CryptoError bad_input.
    """

    def __new__(
        cls,
        *,
        check: _Check = "none",
        ciphered: bool = False,
        counter: _Counter = "none",
        receipt: _Receipt = "never",
        receipt_check: _Check = "none",
        receipt_ciphered: bool = False,
        receipt_by_submit: bool = False,
    ) -> Self: ...
    @staticmethod
    def from_bytes(data: Buffer) -> Scp80Spi: ...
    @property
    def check(self) -> _Check: ...
    @property
    def ciphered(self) -> bool: ...
    @property
    def counter(self) -> _Counter: ...
    @property
    def receipt(self) -> _Receipt: ...
    @property
    def receipt_check(self) -> _Check: ...
    @property
    def receipt_ciphered(self) -> bool: ...
    @property
    def receipt_by_submit(self) -> bool: ...
    def advance(self, stored: int, received: int) -> int:
        """The counter to store after a command whose check fits (TS 102 225 §5.1.4).

        CryptoError counter_low, counter_high, counter_blocked: statuses 02, 03, 04 of a receipt.
        """

    def __bytes__(self) -> bytes: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Scp80Keys:
    """The keys of one card for secured packets (TS 102 225 §5.1.2, §5.1.3), at either end.

    The lower half of `kic` and `kid` is the algorithm: 1 DES, 5 and 9 triple DES with two and
    three keys, 2 AES; the upper half is the key version. An empty key means that there is none.
    `code_length` of a checksum is 8 or 4. CryptoError wrong_length, bad_input.
    """

    def __new__(
        cls, kic: int, cipher_key: _Key, kid: int, checksum_key: _Key, *, code_length: int = 8
    ) -> Self: ...
    @property
    def kic(self) -> int: ...
    @property
    def kid(self) -> int: ...
    def build_command(self, data: Buffer, *, spi: Scp80Spi, tar: Buffer, counter: int = 0) -> bytes:
        """A command packet from CPL on. CryptoError too_long, wrong_length, bad_input."""

    def open_command(self, packet: Buffer, *, least: Scp80Spi) -> Scp80Command:
        """Verify and decrypt a command packet, secured at least as `least` says.

        BadMac for a check or padding that does not fit; CryptoError bad_input for a packet that is
        malformed, names other keys or is secured too little.
        """

    def build_response(
        self, data: Buffer, *, spi: Scp80Spi, tar: Buffer, status: int, counter: int = 0
    ) -> bytes:
        """A response packet from RPL on, secured as the command's `spi` asks for."""

    def open_response(self, packet: Buffer, *, spi: Scp80Spi) -> Scp80Response:
        """Verify and decrypt the answer to a command sent with `spi`. BadMac, CryptoError.

        A card that could not use its keys answers without security, as anybody could: to read
        such an answer, pass an indicator that asks for none.
        """

    def __reduce__(self) -> Never: ...

@final
class Scp80Command:
    """A command packet (TS 102 225 §5.1)."""

    @staticmethod
    def peek(packet: Buffer) -> Scp80Command:
        """What can be read without keys; nothing of it is verified."""

    @property
    def spi(self) -> Scp80Spi: ...
    @property
    def kic(self) -> int: ...
    @property
    def kid(self) -> int: ...
    @property
    def tar(self) -> bytes: ...
    @property
    def counter(self) -> int | None:
        """To be checked with Scp80Spi.advance; None in a packet that is not opened."""

    @property
    def data(self) -> bytes | None:
        """What the application shall do; None in a packet that is not opened."""

@final
class Scp80Response:
    """A response packet: a proof of receipt (TS 102 225 §5.2)."""

    @property
    def tar(self) -> bytes: ...
    @property
    def counter(self) -> int: ...
    @property
    def status(self) -> int:
        """0 for received; the others are in TS 102 225 table 5 and TS 31.115 §7."""

    @property
    def data(self) -> bytes: ...

@final
class SmsSegment:
    """The user data of one message of a packet, its header included (TS 23.040 §9.2.3.24)."""

    def __new__(cls, user_data: Buffer, /) -> Self: ...
    @property
    def kind(self) -> _Packet | None:
        """What the packet is: in its first message only."""

    @property
    def reference(self) -> int | None:
        """What tells this packet's messages from those of another; None for a whole packet."""

    @property
    def total(self) -> int: ...
    @property
    def index(self) -> int:
        """From 1 to `total`."""

    @property
    def data(self) -> bytes: ...

def scp80_commands(
    kic: int,
    cipher_keys: _Key,
    kid: int,
    checksum_keys: _Key,
    *,
    counters: Buffer,
    data: Buffer,
    spi: Scp80Spi,
    tar: Buffer,
    own_data: bool = False,
    code_length: int = 8,
) -> bytearray:
    """Command packets for many cards, on all processors, while the interpreter is free.

    Everything lies one after the other: the keys, the counters (5 bytes each, as many as there are
    cards), the packets. `data` is everyone's, or with `own_data` as much for each card. CryptoError
    as for Scp80Keys; wrong_length names the buffer.
    """

def scp80_receipts(
    kic: int,
    cipher_keys: _Key,
    kid: int,
    checksum_keys: _Key,
    *,
    counters: Buffer,
    packets: Buffer,
    spi: Scp80Spi,
    code_length: int = 8,
) -> bytearray:
    """What many cards have answered to commands with these counters, as for `scp80_commands`.

    `packets` are response packets of one length. Each card has a record four bytes longer: 1 for a
    packet that fits, its status, the length of its data (2), the data, zeros. A packet that is
    malformed, not the card's, or no answer to this command has a record of zeros.
    """

def sms_cut(packet: Buffer, *, kind: _Packet, reference: int) -> list[bytes]:
    """The user data of as many messages as the packet needs (TS 31.115 §4). CryptoError too_long.

    `reference` shall differ between packets that are under way to one card at a time.
    """

def sms_assemble(messages: Sequence[Buffer]) -> tuple[_Packet, bytes]:
    """The packet from the user data of all its messages, in any order. CryptoError bad_input."""

# --- management tree -------------------------------------------------------------------------

def canonical_path(path: str) -> str:
    """The only spelling of a path: "." for the root, else "./A/B".

    Reads ".", "./A/B" and "A/B" (OMA DM TND §4.2). TreeError with a code "path_…" for anything
    else: empty, "." or ".." as a segment, a trailing slash, control characters, more than 32
    segments, 127 bytes a segment or 1024 bytes in all.
    """

def merge(
    layers: Sequence[Layer],
    *,
    acls: Acls | None = None,
    since: Snapshot | None = None,
    threads: int = 0,
) -> Snapshot:
    """Lay layers over one another, in any order: server over card over device.

    Among layers of one kind the later claim wins, then the greater id. `since` is an earlier
    snapshot: for layers and ACLs that are copies of those it was made of, only what has changed
    is merged anew, and the result is the same. A large merge from the beginning is shared among
    at most `threads`; 0 stands for as many as there are processors to run on, but no more than
    four. TreeError "layer_twice" when two layers have the same kind and id. The interpreter is
    free during the work.

    The snapshot is what results when all claims are applied to an empty tree from the weakest
    to the strongest: a leaf or tombstone clears what stands below it, and a stronger claim below
    brings back its own path and nothing else.
    """

@final
class Layer:
    """What one source claims about the tree, at most one claim a node.

    A layer never contradicts itself: its latest statement about a place wins.
    """

    def __new__(cls, kind: _SourceKind, id: str) -> Self: ...
    @property
    def kind(self) -> _SourceKind: ...
    @property
    def id(self) -> str: ...
    def put(
        self,
        path: str,
        value: Buffer | None,
        *,
        format: str | None = None,
        mime: str | None = None,
        at_ms: int,
    ) -> None:
        """Claim that the node exists: a leaf with `value`, or an interior node (None).

        Missing parents, and own leaves and tombstones in their place, become interior claims of
        the same time; a leaf forgets the own claims below it. Defaults are "chr" and
        "text/plain" for leaves, "node" (always) and "" for interior nodes. TreeError
        "root_fixed" for a leaf at the root, "leaf_format" for a leaf of format "node".
        """

    def remove(self, path: str) -> bool:
        """Forget the own claims at and below the node; says whether there were any."""

    def bury(self, path: str, *, at_ms: int) -> None:
        """Claim that the node shall not exist; forgets the own claims below it.

        TreeError "root_fixed" for the root.
        """

    def get(self, path: str) -> Entry | None:
        """The claim on exactly this node."""

    def entries(self, path: str | None = None) -> list[Entry]:
        """The claims at and below a node, or all: parents before children, siblings by name."""

    def totals(self) -> tuple[int, int, int | None]:
        """How many claims there are, how many bytes their values have, and when the latest was
        made, in Unix milliseconds (None without claims). The interpreter is free during the work.
        """

    def diff(self, newer: Layer) -> list[tuple[str, Entry | None, Entry | None]]:
        """The claims that differ in another version of the layer: path, and the claim before and
        after, None where there is none. What is shared with a copy is not looked at."""

    def load(
        self,
        paths: list[str],
        values: list[bytes] | list[bytes | None],
        *,
        format: str | list[str] | None = None,
        mime: str | list[str] | None = None,
        at_ms: int | list[int],
    ) -> None:
        """Many `put`s at once: paths and, in lists of the same length or once for all, the rest.

        Fastest in an empty layer and in the order of entries(). On an error nothing has changed.
        TreeError "column_length" when a list is shorter or longer than the paths.
        """

    def copy(self) -> Layer:
        """A layer of its own with the same claims; they are shared until one of the two changes."""

    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # mutable, hence not hashable

@final
class Acls:
    """The ACL value of each node that has one. What they mean is not this module's matter."""

    def __new__(cls) -> Self: ...
    def set(self, path: str, value: str) -> None:
        """Give a node a value; "": it inherits. TreeError "root_fixed": the root's is elsewhere."""

    def copy(self) -> Acls:
        """The same values on their own; they are shared until one of the two changes."""

@final
class Entry:
    """One claim of a layer."""

    @property
    def path(self) -> str: ...
    @property
    def value(self) -> bytes | None:
        """The bytes of a leaf; None for interior nodes and tombstones."""

    @property
    def format(self) -> str:
        """The DM format word; "node" for interior nodes, "" for tombstones."""

    @property
    def mime(self) -> str:
        """The MIME type of a leaf, the object identifier of an interior node."""

    @property
    def at_ms(self) -> int: ...
    @property
    def absent(self) -> bool:
        """Whether the claim is a tombstone: the node shall not exist."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

@final
class Snapshot:
    """The merged tree: immutable, shared by as many readers as like."""

    def get(self, path: str) -> Node | None: ...
    def children(self, path: str) -> list[str]:
        """The names of the children in order; empty for a leaf and where there is no node."""

    def walk(self, path: str | None = None) -> list[Node]:
        """The node and all below it, parents first, siblings by name; empty without a node."""

    def nodes(self, path: str | None = None) -> Nodes:
        """What walk() lists, one node at a time: none is made before it is asked for."""

    def acl(self, path: str) -> str | None:
        """The ACL in force at a node, its own or that of the nearest node above that has one.

        None where there is no node, and where only the root's could count.
        """

    def winners(self) -> list[tuple[tuple[_SourceKind, str], int]]:
        """Of how many nodes each source's claim is in force, by kind and id; the root is nobody's.

        The interpreter is free during the work.
        """

    def explain(self, path: str) -> list[Claim]:
        """All claims on a node, the winner first, then from strong to weak.

        Where claims exist but no node does, the first is the claim that denies it, which may
        stand above (see its path). Empty where nobody claims anything.
        """

    def diff(self, newer: Snapshot) -> list[Change]:
        """The changes from this snapshot to a newer one, in the order of walk()."""

    def __len__(self) -> int: ...

@final
class Nodes:
    """The rest of a walk; it keeps its snapshot alive."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Node: ...

@final
class Node:
    """One node of a snapshot; it keeps no snapshot alive."""

    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str:
        """The last segment of the path; "." for the root."""

    @property
    def interior(self) -> bool: ...
    @property
    def format(self) -> str: ...
    @property
    def mime(self) -> str: ...
    @property
    def value(self) -> bytes | None:
        """The bytes of a leaf; None for interior nodes."""

    @property
    def kind(self) -> _SourceKind:
        """The kind of the source that won."""

    @property
    def id(self) -> str:
        """The id of the source that won; "" for the root, which nobody claims."""

    @property
    def at_ms(self) -> int:
        """When the winning claim was made, in Unix milliseconds."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Claim:
    """A claim that bears on a node, and what became of it."""

    @property
    def path(self) -> str:
        """Where the claim stands: the node in question, or the one above it that rules it out."""

    @property
    def kind(self) -> _SourceKind: ...
    @property
    def id(self) -> str: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def value(self) -> bytes | None:
        """The bytes of a leaf claim; None for interior nodes and where `absent`."""

    @property
    def absent(self) -> bool:
        """Whether it says that the node in question does not exist."""

    @property
    def outcome(self) -> Literal["wins", "lower_precedence", "older", "hidden"]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

@final
class Change:
    """A node that came (`before` is None), went (`after` is None) or changed."""

    @property
    def path(self) -> str: ...
    @property
    def before(self) -> Node | None: ...
    @property
    def after(self) -> Node | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

# --- acceptor --------------------------------------------------------------------------------

class AcceptorError(CoreError):
    """A socket or path that an acceptor cannot work with."""

@final
class Acceptor:
    """Joins the clients of one listening Unix socket to a server's private socket, and knows who
    they are.

    A thread of its own serves all connections and never needs the interpreter. The descriptor is
    duplicated, and the socket becomes non-blocking. Connections beyond the limits are closed at
    once. AcceptorError if the descriptor is no listening Unix stream socket or the path cannot
    be a socket's address. `proc` is where procfs is mounted, /proc by default.
    """

    def __new__(
        cls,
        listener_fd: int,
        upstream_path: str | PathLike[str],
        *,
        max_connections: int = 1024,
        max_per_uid: int = 256,
        proc: str | PathLike[str] | None = None,
    ) -> Self: ...
    def peer(self, name: str) -> Peer | None:
        """Who opened the connection that gRPC calls by this name (`context.peer()`).

        None for every name this acceptor did not give, and once the connection has closed.
        """

    def peers(self) -> dict[str, Peer]:
        """Everybody who is connected, by the names that gRPC gives the connections."""

    def connections(self) -> int:
        """How many connections are open."""

    def refused(self) -> int:
        """How many connections the limits have turned away so far."""

    def failed(self) -> int:
        """How many connections could not be joined to the server so far."""

    def close(self) -> None:
        """Stop accepting, close all connections, wait for the thread. Twice is once."""

@final
class Peer:
    """Who opened a connection, as the kernel saw it at that moment."""

    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def pid(self) -> int:
        """For logs only: numbers are used again. 0: not visible from here."""

    @property
    def groups(self) -> tuple[int, ...]:
        """Supplementary groups."""

    @property
    def unit(self) -> str:
        """The systemd unit: netd.service, or user@1000.service/app.service for one of a user's
        manager. Empty: in none, or the process had ended before that could be read."""

    @property
    def exe(self) -> str:
        """Path of the program. Empty where it may not be read."""

    @property
    def comm(self) -> str:
        """The name the process gives itself: for people only."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
