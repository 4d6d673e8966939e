"""Names fixed by the standards: namespaces, media types, management object identifiers."""

from __future__ import annotations

__all__ = [
    "DEVDETAIL_MO",
    "DEVINFO_MO",
    "DMACC_MO",
    "DMDDF_NAMESPACE",
    "INBOX_MO",
    "METINF_NAMESPACE",
    "NAP_MO",
    "PROXY_MO",
    "SYNCML_NAMESPACE",
    "TNDS_WBXML_TYPE",
    "TNDS_XML_TYPE",
]

SYNCML_NAMESPACE = "SYNCML:SYNCML1.2"
METINF_NAMESPACE = "syncml:metinf"
DMDDF_NAMESPACE = "syncml:dmddf1.2"

# TNDS 1.2 Appendix (MIME registration). In a decoded message TNDS is always called by its XML
# type, whichever of the two stood there: the representation is the codec's matter.
TNDS_XML_TYPE = "application/vnd.syncml.dmtnds+xml"
TNDS_WBXML_TYPE = "application/vnd.syncml.dmtnds+wbxml"

# DM Standardized Objects 1.2 §5; ConMO NAP and Proxy 1.0.
DMACC_MO = "urn:oma:mo:oma-dm-dmacc:1.0"
DEVINFO_MO = "urn:oma:mo:oma-dm-devinfo:1.0"
DEVDETAIL_MO = "urn:oma:mo:oma-dm-devdetail:1.0"
INBOX_MO = "urn:oma:mo:oma-dm-inbox:1.0"
NAP_MO = "urn:oma:mo:oma-connmo-nap:1.0"
PROXY_MO = "urn:oma:mo:oma-connmo-proxy:1.0"
