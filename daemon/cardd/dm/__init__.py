"""The client's side of a DM 1.2 session, sans-io."""
