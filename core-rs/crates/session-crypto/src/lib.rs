//! Session cryptography: MILENAGE, GBA key derivation, OMA DM and HTTP digest credentials.
