"""The card in a real pcscd, seen through pyscard and through foreign programs."""

from smartcard import scard
from support.stack import Pcsc


def test_card_answers_through_pcscd(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    assert result == scard.SCARD_S_SUCCESS
    result, handle, _ = scard.SCardConnect(
        context, pcsc.names[0], scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0
    )
    assert result == scard.SCARD_S_SUCCESS
    result, response = scard.SCardTransmit(
        handle, scard.SCARD_PCI_T0, list(bytes.fromhex("00A4080C022FE2"))
    )
    assert (result, bytes(response).hex()) == (scard.SCARD_S_SUCCESS, "9000")
    result, response = scard.SCardTransmit(
        handle, scard.SCARD_PCI_T0, list(bytes.fromhex("00B000000A"))
    )
    assert bytes(response) == card.read_file("EF.ICCID") + b"\x90\x00"
    scard.SCardReleaseContext(context)
