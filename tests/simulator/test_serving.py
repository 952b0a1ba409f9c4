"""The process: it starts alone on its port and ends when told to, whatever is open."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx

from .conftest import ACCOUNT, TOKEN, Simulation, free_port, until

PROGRAM = """
import sys
from pathlib import Path
from tp_inbox.simulator import SimulatorConfig, run
run(SimulatorConfig(sys.argv[1], sys.argv[2], Path(sys.argv[3]), port=int(sys.argv[4])))
"""


def start(folder: Path, port: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROGRAM, ACCOUNT, TOKEN, str(folder), str(port)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_it_ends_at_once_though_a_page_is_open(tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, port)
    until(lambda: is_up(port))
    with httpx.stream("GET", f"http://127.0.0.1:{port}/simulator/events", trust_env=False) as page:
        next(page.iter_lines())
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert time.monotonic() - before < 3
    assert (process.returncode, errors) == (0, "")


def test_it_ends_at_once_though_an_answer_is_slow(tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, port)
    until(lambda: is_up(port))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=(ACCOUNT, TOKEN), trust_env=False) as web:
        web.put("/simulator/faults", json={"services": {"slow": 1}, "slow_seconds": 600})
        asked = threading.Thread(target=lambda: answers.append(web.get("/v1/Services").status_code))
        answers: list[int] = []
        asked.start()
        until(lambda: web.get("/simulator/faults").json()["struck"])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        asked.join(10)
    assert (process.returncode, errors, answers) == (0, "", [200])


def test_no_trouble_leaves_a_trace_in_the_log(tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, port)
    until(lambda: is_up(port))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=(ACCOUNT, TOKEN), trust_env=False) as web:
        for fault in ("lost_before", "lost_after", "cut_off", "failed_after", "slow"):
            web.put("/simulator/faults", json={"services": {fault: 1}, "slow_seconds": 0.5})
            with suppress(httpx.TransportError):
                web.get("/v1/Services", timeout=0.3)
        time.sleep(0.5)  # the slow answer goes to a client that has left
        assert web.get("/health").is_success
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_a_taken_port_is_an_error_and_not_shared(simulation: Simulation, tmp_path: Path) -> None:
    process = start(tmp_path / "other", simulation.config.port)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 1 and "already in use" in errors
