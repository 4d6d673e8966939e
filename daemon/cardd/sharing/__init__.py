"""Who may use the card now: a queue with leases. Pure; time is an argument."""
