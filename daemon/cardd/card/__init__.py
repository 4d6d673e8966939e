"""The card over one port, `transmit(bytes) -> bytes`: synchronous, no clock, no I/O of its own."""
