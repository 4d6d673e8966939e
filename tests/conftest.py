"""Fixtures that every test can ask for."""

pytest_plugins = (
    "support.stack",
    "support.system",
    "support.scene",
    "support.gated",
    "support.postgres",
)
