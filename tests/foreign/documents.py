"""What an operator puts on a card: XML written by hand, made binary by libwbxml."""

from __future__ import annotations

from foreign import syncml


def account(
    *,
    server_id: str,
    url: str,
    client: tuple[str, str],
    server: tuple[str, str] | None,
    nonce: bytes,
    auth: str = "DIGEST",
    client_auth: str = "DIGEST",
) -> bytes:
    """Client Provisioning: an access point and a w7 account that opens a session."""
    proof = "" if server is None else _auth("CLIENT", server, nonce, auth)
    return syncml.to_wbxml(
        f"""<?xml version="1.0"?>
<!DOCTYPE wap-provisioningdoc PUBLIC "-//WAPFORUM//DTD PROV 1.0//EN"
  "http://www.wapforum.org/DTD/prov.dtd">
<wap-provisioningdoc version="1.0">
  <characteristic type="NAPDEF">
    <parm name="NAPID" value="NAP1"/>
    <parm name="BEARER" value="GSM-GPRS"/>
    <parm name="NAME" value="By hand"/>
    <parm name="NAP-ADDRESS" value="byhand.example"/>
    <parm name="NAP-ADDRTYPE" value="APN"/>
  </characteristic>
  <characteristic type="APPLICATION">
    <parm name="APPID" value="w7"/>
    <parm name="PROVIDER-ID" value="{server_id}"/>
    <parm name="NAME" value="Foreign server"/>
    <parm name="TO-NAPID" value="NAP1"/>
    <parm name="INIT"/>
    <characteristic type="APPADDR"><parm name="ADDR" value="{url}"/></characteristic>
    {_auth("APPSRV", client, nonce, client_auth)}
    {proof}
  </characteristic>
</wap-provisioningdoc>""".encode()
    )


def _auth(level: str, pair: tuple[str, str], nonce: bytes, kind: str) -> str:
    return f"""<characteristic type="APPAUTH">
      <parm name="AAUTHLEVEL" value="{level}"/>
      <parm name="AAUTHTYPE" value="{kind}"/>
      <parm name="AAUTHNAME" value="{pair[0]}"/>
      <parm name="AAUTHSECRET" value="{pair[1]}"/>
      <parm name="AAUTHDATA" value="{syncml.b64(nonce)}"/>
    </characteristic>"""


def access_point(address: str) -> bytes:
    """Client Provisioning: an access point and nothing else."""
    return syncml.to_wbxml(
        f"""<?xml version="1.0"?>
<!DOCTYPE wap-provisioningdoc PUBLIC "-//WAPFORUM//DTD PROV 1.0//EN"
  "http://www.wapforum.org/DTD/prov.dtd">
<wap-provisioningdoc version="1.0">
  <characteristic type="NAPDEF">
    <parm name="NAPID" value="NAP1"/>
    <parm name="BEARER" value="GSM-GPRS"/>
    <parm name="NAME" value="By hand"/>
    <parm name="NAP-ADDRESS" value="{address}"/>
    <parm name="NAP-ADDRTYPE" value="APN"/>
  </characteristic>
</wap-provisioningdoc>""".encode()
    )
