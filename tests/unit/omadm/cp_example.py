"""A provisioning document with one of each, and a source of arbitrary ones."""

from __future__ import annotations

from hypothesis import strategies as st
from omadm.clientprov import Characteristic, Parm

__all__ = ["XML", "characteristics"]

XML = b"""<?xml version="1.0"?>
<wap-provisioningdoc version="1.1">
  <characteristic type="NAPDEF">
    <parm name="NAPID" value="NAP1"/><parm name="BEARER" value="GSM-GPRS"/>
    <parm name="NAME" value="Operator"/><parm name="NAP-ADDRESS" value="internet"/>
    <parm name="NAP-ADDRTYPE" value="APN"/><parm name="DNS-ADDR" value="10.0.0.1"/>
    <parm name="INTERNET"/>
    <characteristic type="NAPAUTHINFO">
      <parm name="AUTHTYPE" value="PAP"/><parm name="AUTHNAME" value="u"/>
      <parm name="AUTHSECRET" value="p"/>
    </characteristic>
    <characteristic type="VALIDITY"><parm name="COUNTRY" value="262"/></characteristic>
  </characteristic>
  <characteristic type="PXLOGICAL">
    <parm name="PROXY-ID" value="PX"/><parm name="NAME" value="Gateway"/>
    <parm name="DOMAIN" value="example.com"/>
    <characteristic type="PXPHYSICAL">
      <parm name="PHYSICAL-PROXY-ID" value="1"/><parm name="PXADDR" value="10.0.0.9"/>
      <parm name="PXADDRTYPE" value="IPV4"/><parm name="TO-NAPID" value="NAP1"/>
      <characteristic type="PORT">
        <parm name="PORTNBR" value="8080"/><parm name="SERVICE" value="CO-WSP"/>
      </characteristic>
    </characteristic>
  </characteristic>
  <characteristic type="APPLICATION">
    <parm name="APPID" value="w7"/><parm name="PROVIDER-ID" value="dm.example.com"/>
    <parm name="NAME" value="Example"/><parm name="TO-PROXY" value="PX"/>
    <parm name="TO-NAPID" value="NAP1"/><parm name="INIT"/>
    <characteristic type="APPADDR">
      <parm name="ADDR" value="https://dm.example.com/dm"/><parm name="ADDRTYPE" value="URI"/>
      <characteristic type="PORT"><parm name="PORTNBR" value="8443"/></characteristic>
    </characteristic>
    <characteristic type="APPAUTH">
      <parm name="AAUTHLEVEL" value="APPSRV"/><parm name="AAUTHTYPE" value="DIGEST"/>
      <parm name="AAUTHNAME" value="device"/><parm name="AAUTHSECRET" value="dpw"/>
      <parm name="AAUTHDATA" value="Tm9uY2U="/>
    </characteristic>
    <characteristic type="APPAUTH">
      <parm name="AAUTHLEVEL" value="CLIENT"/><parm name="AAUTHTYPE" value="DIGEST"/>
      <parm name="AAUTHNAME" value="dm.example.com"/><parm name="AAUTHSECRET" value="spw"/>
    </characteristic>
  </characteristic>
  <characteristic type="APPLICATION">
    <parm name="APPID" value="w2"/><parm name="NAME" value="Home"/>
    <characteristic type="RESOURCE"><parm name="URI" value="http://home"/><parm name="STARTPAGE"/>
    </characteristic>
  </characteristic>
  <characteristic type="BOOTSTRAP"><parm name="NAME" value="Op"/></characteristic>
  <characteristic type="VENDORCONFIG"><parm name="NAME" value="acme"/></characteristic>
</wap-provisioningdoc>
"""

names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789", min_size=1, max_size=12).filter(
    lambda name: name.strip()
)
parms = st.builds(Parm, names, st.none() | st.text("abc 123:/<&>\"'", max_size=20))
characteristics = st.recursive(
    st.builds(Characteristic, names, st.lists(parms, max_size=4).map(tuple)),
    lambda inner: st.builds(
        Characteristic,
        names,
        st.lists(parms, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=8,
)
