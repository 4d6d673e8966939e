"""A USIM for tests: MILENAGE and the array of sequence numbers of TS 33.102 annex C.2."""

from dataclasses import dataclass, field

from cardea_core import BadMac, Milenage, Secret

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
IMSI = "001010123456789"
IMPI = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
SUBSCRIBER = {"imsi": IMSI, "k": K.hex(), "opc": OPC.hex()}

_IND_BITS = 5


@dataclass
class Usim:
    """``seqs`` holds the highest SEQ accepted for each IND."""

    milenage: Milenage = field(default_factory=lambda: Milenage(K, OPC))
    seqs: dict[int, int] = field(default_factory=dict)

    def authenticate(self, rand: bytes, autn: bytes) -> tuple[Secret, Secret, Secret] | bytes:
        """RES, CK, IK; or AUTS when the number is not fresh. Raises BadMac."""
        sqn = int.from_bytes(self.milenage.open_autn(rand, autn), "big")
        seq, ind = sqn >> _IND_BITS, sqn & ((1 << _IND_BITS) - 1)
        if seq <= self.seqs.get(ind, -1):
            highest = max(s << _IND_BITS | i for i, s in self.seqs.items())
            return self.milenage.auts(rand, highest.to_bytes(6, "big"))
        self.seqs[ind] = seq
        return self.milenage.f2(rand), self.milenage.f3(rand), self.milenage.f4(rand)

    def accepts(self, rand: bytes, autn: bytes) -> bool:
        try:
            return not isinstance(self.authenticate(rand, autn), bytes)
        except BadMac:
            return False
