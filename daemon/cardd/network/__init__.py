"""The network: HTTPS clients for device management and bootstrapping."""
