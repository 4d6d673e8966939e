"""Names from a subscriber identity, as TS 23.003 builds them."""

from __future__ import annotations

import pytest
from gba.errors import RealmError
from gba.realm import (
    bsf_fqdn,
    bsf_fqdn_of_impi,
    btid,
    dm_fqdn,
    home_domain,
    impi_from_imsi,
    split_btid,
)


@pytest.mark.parametrize(
    ("imsi", "mnc_length", "network"),
    [
        ("001010123456789", 2, "mnc001.mcc001"),
        ("310150123456789", 3, "mnc150.mcc310"),
        ("234150999999999", 2, "mnc015.mcc234"),
    ],
)
def test_names_have_three_digit_codes(imsi: str, mnc_length: int, network: str) -> None:
    assert home_domain(imsi, mnc_length) == f"ims.{network}.3gppnetwork.org"
    assert impi_from_imsi(imsi, mnc_length) == f"{imsi}@ims.{network}.3gppnetwork.org"
    assert bsf_fqdn(imsi, mnc_length) == f"bsf.{network}.pub.3gppnetwork.org"
    assert dm_fqdn(imsi, mnc_length) == f"dm.{network}.pub.3gppnetwork.org"


@pytest.mark.parametrize(
    ("impi", "name"),
    [
        (
            "user@ims.mnc001.mcc001.3gppnetwork.org",
            "bsf.ims.mnc001.mcc001.pub.3gppnetwork.org",
        ),
        ("user@Home1.net", "bsf.home1.net"),
        ("user@x.pub.3gppnetwork.org", "bsf.x.pub.3gppnetwork.org"),
    ],
)
def test_an_isim_identity_leads_to_its_own_server(impi: str, name: str) -> None:
    assert bsf_fqdn_of_impi(impi) == name


@pytest.mark.parametrize(
    ("imsi", "mnc_length", "reason"),
    [
        ("", 2, "imsi"),
        ("00101", 2, "imsi"),
        ("0010101234567890", 2, "imsi"),
        ("00101x123456789", 2, "imsi"),
        ("٠٠١٠١٠١٢٣٤٥٦٧٨٩", 2, "imsi"),
        ("001010123456789", 1, "mnc_length"),
    ],
)
def test_bad_identities_are_named_and_not_repeated(imsi: str, mnc_length: int, reason: str) -> None:
    with pytest.raises(RealmError) as caught:
        home_domain(imsi, mnc_length)
    assert caught.value.reason == reason
    assert not imsi or imsi not in str(caught.value)


@pytest.mark.parametrize("impi", ["", "user", "@domain", "user@"])
def test_an_impi_needs_user_and_domain(impi: str) -> None:
    with pytest.raises(RealmError, match="impi"):
        bsf_fqdn_of_impi(impi)


def test_btid_names_rand_and_server() -> None:
    name = btid(bytes(range(16)), "bsf.example.org")
    assert name == "AAECAwQFBgcICQoLDA0ODw==@bsf.example.org"
    assert split_btid(name) == (bytes(range(16)), "bsf.example.org")


@pytest.mark.parametrize("name", ["", "AAAA@b", "!@b", "AAECAwQFBgcICQoLDA0ODw==", "@b"])
def test_bad_btids_are_refused(name: str) -> None:
    with pytest.raises(RealmError, match="btid"):
        split_btid(name)


def test_rand_has_sixteen_bytes() -> None:
    with pytest.raises(RealmError, match="rand_length"):
        btid(b"", "b")
