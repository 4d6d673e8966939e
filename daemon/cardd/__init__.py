"""cardd: the daemon that owns the card reader, shares the card and provisions the device."""
