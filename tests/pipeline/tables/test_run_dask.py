"""The scheduler of `--workers N` runs code for the command that started it, and for nobody else."""

import http.client
import ssl
from pathlib import Path

import pytest
from dask import config
from distributed import Client, Security

from pipeline.errors import UserError
from pipeline.tables.run_dask import connect


@pytest.fixture(scope="module")
def ours() -> Client:
    """The client of a scheduler with one worker; the fixture that ends workers after each file ends it."""
    return connect(1)


def test_a_client_without_the_certificate_is_refused(ours: Client) -> None:
    address = ours.scheduler.address
    assert ours.submit(sum, (1, 2)).result(timeout=60) == 3
    strangers = (("tcp", None), ("tls", Security.temporary()))
    for scheme, security in strangers:
        with pytest.raises((OSError, ValueError)):
            Client(address.replace("tls", scheme), security=security, timeout="2s")
    assert next(iter(ours.scheduler_info()["workers"])).startswith("tls://127.0.0.1:")


def test_a_connection_without_any_certificate_is_closed(ours: Client) -> None:
    host, port = ours.scheduler.address.removeprefix("tls://").split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asking = http.client.HTTPSConnection(host, int(port), context=context, timeout=5)
    with pytest.raises((OSError, http.client.HTTPException)):  # noqa: PT012  either of the two may notice
        asking.request("GET", "/")
        asking.getresponse()
    asking.close()


def test_a_cluster_with_certificates_is_used_with_those_of_dasks_configuration(ours: Client, tmp_path: Path) -> None:
    address = ours.scheduler.address
    with pytest.raises(UserError, match=f"--workers {address}: Dask has no certificates"):
        connect(address)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(ours.security.tls_ca_file)
    key.write_text(ours.security.tls_client_key)
    files = {"ca-file": certificate, "client.cert": certificate, "client.key": key}
    with config.set({f"distributed.comm.tls.{name}": str(file) for name, file in files.items()}):
        client = connect(address)
    assert client.submit(sum, (1, 2)).result(timeout=60) == 3
    client.close()


def test_scheduler_and_workers_show_no_pages(ours: Client) -> None:
    info = ours.scheduler_info()
    ports = [info["services"]["dashboard"], *(w["services"]["dashboard"] for w in info["workers"].values())]
    for port in ports:
        for page in ("/info/main/workers.html", "/json/identity.json", "/metrics", "/health"):
            asking = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            asking.request("GET", page)
            assert asking.getresponse().status == 404, page
            asking.close()
