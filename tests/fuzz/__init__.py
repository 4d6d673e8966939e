"""Fuzzing: targets for the parsers in Python, seeds for those in Rust, the daemon's gRPC edge.

`make fuzz` runs everything (tools/fuzz.py); the targets in Rust lie in core-rs/fuzz.
"""
