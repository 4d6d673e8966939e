"""F2: what an operator does for many subscribers and cards.

Each row names its unit of work. "A batch" is one call for 100,000 subscribers, 20,000 cards, or
2,000 open channels, each with keys of its own; "one call" is a call a message, with keys that were
set up before, on one core. What it is held against is whichever Python library was the fastest in
the run. A limit is what the blocks alone take that one call has to do one after the other: more
nobody can win.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version

from bench import measure
from bench.report import Row
from bench.work import limits, packets, sessions, vectors

TITLE = "vectors, packets and channels for many cards, through Python"

_ROUNDS = 31
_CRYPTOGRAPHY = f"cryptography {version('cryptography')}"
_PYCRYPTODOMEX = f"pycryptodomex {version('pycryptodomex')}"

# Blocks of triple DES, of which single DES is a third, that wait for one another whoever does them.
# SCP80: 16 in the code of the command, which is encrypted with it in 15; of the receipt one, then 6
# in its code. SCP02: C-ENC, beside which C-MAC and the command's part of R-MAC can go; then 26
# blocks of single DES and one of triple in the answer's part.
_SCP80_BLOCKS = 16 + 15 + 1 + 6
_SCP02_BLOCKS = 26 + 26 / 3 + 1


def rows() -> Iterator[Row]:
    """Outputs are compared byte for byte before anything is timed."""
    milenage, tuak = vectors.Milenage(), vectors.Tuak()
    yield from _batch("MILENAGE vector", milenage.many, {_CRYPTOGRAPHY: milenage.other}, 100)
    others = {"hashlib's SHAKE256": tuak.other}
    yield from _batch("TUAK vector", tuak.many, others, 8)
    yield _one_call("TUAK vector", tuak.each, others)
    # Both permutations of a vector can go side by side
    limit = {"a permutation in SHAKE256 of 64 KB": limits.keccak()}
    yield _one_call("TUAK vector", tuak.each, limit, None)
    for name, algorithm in (("AES-128", packets.AES), ("triple DES", packets.DES)):
        campaign = packets.Campaign(algorithm)
        others = {_CRYPTOGRAPHY: campaign.over_cryptography}
        others[_PYCRYPTODOMEX] = campaign.over_pycryptodomex
        unit = f"SCP80 {name}, command of 100 bytes and receipt of 20"
        yield from _batch(unit, campaign.many, others, 8)
        yield _one_call(unit, campaign.each, others)
    limit = _chain_of_triple_des(_SCP80_BLOCKS)
    yield _one_call(unit, campaign.each, limit, None)
    channel = sessions.Scp02()
    others = {_CRYPTOGRAPHY: channel.over_cryptography, _PYCRYPTODOMEX: channel.over_pycryptodomex}
    unit = "SCP02 level 13, command and answer of 200 bytes"
    yield from _batch(unit, channel.many, others, 8)
    yield _one_call(unit, channel.each, others)
    limit = _chain_of_triple_des(_SCP02_BLOCKS)
    yield _one_call(unit, channel.each, limit, None)


def _chain_of_triple_des(blocks: float) -> dict[str, measure.Contender]:
    name = f"{limits.NAME}, 3DES-CBC of {blocks:.3g} blocks"
    return {name: limits.triple_des_chain(blocks)}


def _batch(
    unit: str, many: measure.Contender, others: Mapping[str, measure.Contender], least: float
) -> Iterator[Row]:
    yield _row(f"{unit}: a batch, all cores", many, others, least)
    with measure.one_processor():
        yield _row(f"{unit}: a batch, one core", many, others, least)


def _one_call(
    unit: str,
    each: measure.Contender,
    others: Mapping[str, measure.Contender],
    least: float | None = 8,
) -> Row:
    with measure.one_processor():
        return _row(f"{unit}: one call", each, others, least)


def _row(
    name: str,
    cardea: measure.Contender,
    others: Mapping[str, measure.Contender],
    least: float | None,
) -> Row:
    taken = measure.medians_us({"cardea": cardea, **others}, rounds=_ROUNDS)
    against = min(others, key=lambda other: taken[other])
    return Row(name, taken["cardea"], "us", against, taken[against], least)
