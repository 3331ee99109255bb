"""Which Prefect server a command uses: mistakes are one line, before anything is started."""

import socket

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_API_PORT, temporary_settings

from flows.prefect_runtime.server import prefect_server
from pipeline.errors import UserError


def test_a_configured_server_that_does_not_answer() -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(UserError, match=r"no Prefect server answers at http://127\.0\.0\.1:9/api"),
        prefect_server(),
    ):
        pytest.fail("no server answers there")


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            temporary_settings({PREFECT_SERVER_API_PORT: port}, restore_defaults={PREFECT_API_URL}),
            pytest.raises(UserError, match=f"port {port} is taken"),
            prefect_server(),
        ):
            pytest.fail("another program has the port")
