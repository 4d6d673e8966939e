"""Device descriptions come from a directory of the configuration, and are checked at the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from cardd.app.config import DeviceConfig
from cardd.app.ddf_files import described_by
from cardd.app.device import nodes_of_device
from cardd.app.policy import load_checked
from cardd.app.settings import ConfigError
from unit.ddf_example import DEV_INFO, PUMPS, document, node, properties

PERMANENT = "<Permanent/>"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "ddf"
    folder.mkdir()
    (folder / "devinfo.xml").write_bytes(DEV_INFO)
    (folder / "pumps.ddf").write_bytes(PUMPS)
    (folder / "README").write_text("not a description")
    return folder


def test_descriptions_of_a_directory_join_the_devices_own(directory: Path) -> None:
    known, described = described_by(str(directory))
    assert len(described) == 5 + 7
    assert known.rule_for("./Vendor/Acme/Pumps/7").most == 2
    assert known.rule_for("./DevInfo/Ext/Serial").permanent
    assert known.rule_for("./DevDetail/FwV").permanent
    assert not described_by("")[1]


def test_device_brings_what_is_permanent_and_says_itself_what_it_is(directory: Path) -> None:
    config = DeviceConfig(
        id="IMEI:1", tree={"./Vendor/Acme/Pumps/1/Rate": "7"}, ddf_directory=str(directory)
    )
    nodes = {each.path: each for each in nodes_of_device(config)}
    assert nodes["./DevInfo/Ext/Serial"].value == b"S-1"
    assert nodes["./DevInfo/DevId"].value == b"IMEI:1"
    assert nodes["./Vendor/Acme/Pumps"].mime == "com.vendor/1.0/P"
    assert nodes["./Vendor/Acme/Pumps/Model"].value == b"X"
    assert nodes["./Vendor/Acme/Pumps/1/Rate"].format == "int"
    assert "./Vendor/Acme/Pumps/1/Address" not in nodes


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<MgmtTree/>", "unknown_version (at=MgmtTree/VerDTD)"),
        (document(node("A", properties("Fly", "chr"))), "at=./A/AccessType, element=Fly"),
        (document(node("Pumps", properties("Get", "node"), path="Vendor/Acme")),
         "./Vendor/Acme/Pumps: is described in pumps.ddf too"),
        (document(node("Man", properties("Get Replace", "chr", scope=PERMANENT), path="DevDetail")),
         "./DevDetail/Man: Replace is more than the node takes here"),
        (document(node("N", properties("Get", "int", scope=PERMANENT))),
         "./N: needs a DefaultValue"),
        (document(node("N", properties("Get", "int", scope=PERMANENT,
                                       more="<DefaultValue>many</DefaultValue>"))),
         "./N: DefaultValue is not int"),
        (document(node("N", "<RTProperties><ACL>Fly=*</ACL></RTProperties>"
                       + properties("Get", "chr", scope=PERMANENT))), "./N: ACL entry without"),
        (document(node("N", "<RTProperties><ACL>Get=*</ACL></RTProperties>"
                       + properties("Get", "chr"))), "./N: an ACL is for permanent nodes"),
    ],
)  # fmt: skip
def test_bad_document_is_an_error_with_file_and_element(
    directory: Path, body: bytes, problem: str
) -> None:
    (directory / "zz.xml").write_bytes(body)
    with pytest.raises(ConfigError) as caught:
        described_by(str(directory))
    assert caught.value.where == "device.ddf_directory"
    assert caught.value.problem.startswith("zz.xml: ")
    assert problem in caught.value.problem


def test_directory_that_is_not_there_is_an_error_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "cardd.toml"
    config.write_text(f'[device]\nddf_directory = "{tmp_path}/none"\n')
    with pytest.raises(ConfigError, match=r"cardd\.toml:2: .*No such file"):
        load_checked(config)


@pytest.mark.parametrize(
    ("path", "value"),
    [("./Vendor/Acme/Pumps/1/Rate", "fast"), ("./Vendor/Acme/Pumps/1", "x")],
)
def test_configured_value_is_of_the_described_format(
    directory: Path, path: str, value: str
) -> None:
    config = DeviceConfig(tree={path: value}, ddf_directory=str(directory))
    with pytest.raises(ConfigError, match="Vendor/Acme"):
        nodes_of_device(config)
