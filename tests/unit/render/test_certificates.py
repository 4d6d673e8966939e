"""CA certificates as PEM files, whatever form the tree has them in."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
from cardd.render.certificates import certificates
from cardd.render.output import Output
from dmsd import ca
from unit.render.trees import snapshot


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return ca.init_ca(tmp_path_factory.mktemp("ca") / "ca").certificate.read_bytes()


def render(values: dict[str, str | bytes]) -> Output:
    return certificates("./Trust")(snapshot(values))


@pytest.mark.parametrize("form", ["pem", "der", "base64", "base64 in lines"])
def test_each_form_becomes_the_same_pem_file_that_openssl_reads(
    pem: bytes, form: str, tmp_path: Path
) -> None:
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    value = {
        "pem": pem,
        "der": der,
        "base64": base64.b64encode(der),
        "base64 in lines": base64.encodebytes(der),
    }[form]
    (file,) = render({"./Trust/Operator": value}).files
    assert file.name == "cardea-Operator.pem"
    path = tmp_path / file.name
    path.write_bytes(file.content)
    context = ssl.create_default_context(cafile=str(path))
    assert context.get_ca_certs(binary_form=True) == [der]


def test_of_a_leaf_that_holds_several_none_is_lost(
    pem: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = ca.init_ca(tmp_path_factory.mktemp("other") / "ca").certificate.read_bytes()
    (file,) = render({"./Trust/Chain": pem + b"\nbetween them\n" + other}).files
    assert file.content == pem + other


@pytest.mark.parametrize("value", [b"", b"no certificate", b"\x30\x03\x02\x01\x00", b"-----BEGIN"])
def test_what_is_no_certificate_is_named_and_keeps_no_other_out(pem: bytes, value: bytes) -> None:
    output = render({"./Trust/Bad": value, "./Trust/Good": pem})
    assert [file.name for file in output.files] == ["cardea-Good.pem"]
    assert output.problems == (("./Trust/Bad holds no certificate",) if value else ())


@pytest.mark.parametrize("name", [".hidden", "a b", "..x", "x" * 101])
def test_a_node_whose_name_is_no_file_name_is_left_out(pem: bytes, name: str) -> None:
    output = render({f"./Trust/{name}": pem})
    assert not output.files
    assert len(output.problems) == 1
