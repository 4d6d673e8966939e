"""cardctl: the card-access daemon from the command line."""
