"""A whole system on private sockets, and the story that it tells."""
