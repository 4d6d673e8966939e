"""Generic bootstrapping (3GPP TS 33.220, TS 24.109), pure and for both ends.

Ub: a USIM and the bootstrapping server agree on keys over HTTP Digest AKA. Ua: an application
server authenticates the device with a key made from them. No socket, clock or random source.
"""

from __future__ import annotations
