"""Fixtures that every test can ask for, and how examples are made for those that are about any."""

from hypothesis import HealthCheck, settings

pytest_plugins = (
    "support.stack",
    "support.system",
    "support.scene",
    "support.gated",
    "support.postgres",
)

# What takes long may do so because the machine has other things to do.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")
