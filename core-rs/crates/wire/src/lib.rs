//! Codecs for hostile bytes: BER-TLV, WBXML and XML. Total functions, no panics, size and depth caps.
