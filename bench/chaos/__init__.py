"""The promises about sharing and recovery, measured on a real pcscd with software cards."""
