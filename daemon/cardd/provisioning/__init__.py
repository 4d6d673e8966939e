"""Provisioning: the use case as a transition table, run over ports for card, server and store."""
