"""Each way in which a port cannot be had is a sentence."""

from __future__ import annotations

import socket

import pytest

from tp_inbox.demo import ports
from tp_inbox.demo.trouble import Trouble


def test_a_free_port_is_fine() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ports.require_free("127.0.0.1", port, "PORT")


def test_the_port_proposed_instead_is_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert ports._free_after("127.0.0.1", port) > port


def test_a_port_that_another_shares_is_taken_all_the_same() -> None:
    """Granian sets SO_REUSEPORT, with which a second server would silently take half of the connections."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Trouble, match="is taken: set PORT"):
            ports.require_free("127.0.0.1", taken.getsockname()[1], "PORT")


def test_a_host_that_is_not_this_machines_is_a_sentence() -> None:
    with pytest.raises(Trouble, match=r"HOST=192\.0\.2\.1 is no address of this machine"):
        ports.require_free("192.0.2.1", 3000, "PORT")


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:3000"), ("0.0.0.0", "http://127.0.0.1:3000"), ("::", "http://[::1]:3000")],
)
def test_addresses_can_be_clicked(host: str, address: str) -> None:
    assert ports.url(host, 3000) == address
