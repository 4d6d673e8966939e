"""Generated from proto/cardea/v1 by tools/gen_stubs.py. Never edited."""
