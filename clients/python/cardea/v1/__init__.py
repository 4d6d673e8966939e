"""Generated from proto/cardea/v1 by tools/gen.py. Never edited."""
