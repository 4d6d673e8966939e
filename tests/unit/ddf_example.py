"""Device descriptions as vendors write them: of DevInfo with an extension, and of their own."""

from __future__ import annotations

PROLOG = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE MgmtTree PUBLIC "-//OMA//DTD-DM-DDF 1.2//EN"
  "http://www.openmobilealliance.org/tech/DTD/dm_ddf-v1_2.dtd"
  [<?oma-dm-ddf-ver supported-versions="1.2"?>]>
"""


def properties(
    commands: str,
    format: str,
    *,
    occurrence: str = "<One/>",
    scope: str = "<Dynamic/>",
    types: str | None = None,
    more: str = "",
) -> str:
    """DFProperties; commands by their names, the rest as XML."""
    kind = "<DDFName/>" if format == "node" else "<MIME>text/plain</MIME>"
    access = "".join(f"<{command}/>" for command in commands.split())
    return (
        f"<DFProperties><AccessType>{access}</AccessType><DFFormat><{format}/></DFFormat>"
        f"<Occurrence>{occurrence}</Occurrence><Scope>{scope}</Scope>"
        f"<DFType>{kind if types is None else types}</DFType>{more}</DFProperties>"
    )


def node(name: str, about: str, *inner: str, path: str = "") -> str:
    above = f"<Path>{path}</Path>" if path else ""
    return f"<Node><NodeName>{name}</NodeName>{above}{about}{''.join(inner)}</Node>"


def document(*nodes: str, version: str = "1.2", prolog: str = PROLOG) -> bytes:
    namespaces = 'xmlns:own="http://vendor.example/ddf"'
    body = f"<MgmtTree {namespaces}><VerDTD>{version}</VerDTD>{''.join(nodes)}</MgmtTree>"
    return (prolog + body).encode()


PERMANENT = "<Permanent/>"
DEV_INFO = document(
    node(
        "DevInfo",
        properties("Get", "node", scope=PERMANENT, types="<DDFName>urn:oma:mo:x:1.0</DDFName>"),
        *(node(name, properties("Get", "chr", scope=PERMANENT)) for name in ("DevId", "Man")),
        node(
            "Ext",
            properties("Get", "node", scope=PERMANENT, occurrence="<ZeroOrOne/>"),
            node(
                "Serial",
                properties("Get", "chr", scope=PERMANENT, more="<DefaultValue>S-1</DefaultValue>"),
            ),
        ),
        path=".",
    )
)
MODEL = "<DefaultValue>X</DefaultValue>"
# A pump: as many as four, each with an address, and what may be set, started and never be read.
PUMPS = document(
    node(
        "Pumps",
        properties("Get", "node", scope=PERMANENT, types="<DDFName>com.vendor/1.0/P</DDFName>"),
        node(
            "Model",
            properties(
                "Get Replace", "chr", scope=PERMANENT, more="<DefaultValue>X</DefaultValue>"
            ),
        ),
        node(
            "",
            properties("Add Delete Get", "node", occurrence="<OneOrN>2</OneOrN>"),
            node("Address", properties("Add Get", "chr")),
            node(
                "Rate",
                properties(
                    "Add Copy Delete Get Replace",
                    "int",
                    occurrence="<ZeroOrOne/>",
                    more="<own:Unit>l/min</own:Unit>",
                ),
            ),
            node("Key", properties("Add Replace", "bin", types="<MIME>application/x-key</MIME>")),
            node("Notes", properties("Add Get Delete", "node", occurrence="<ZeroOrOne/>")),
        ),
        path="./Vendor/Acme/",
    )
)
