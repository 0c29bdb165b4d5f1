"""Several hosts: two processes on this machine, each with people of its own; the checks are those of `on_hosts`."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from test_devices import ENVIRONMENT

HERE = Path(__file__).parent


def started(port, process, folder, *checks):
    return subprocess.Popen(
        [sys.executable, str(HERE / "on_hosts.py"), str(port), str(process), str(folder), *checks],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ENVIRONMENT,
    )


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def both(folder, *checks):
    """What two processes say in the end."""
    port = free_port()
    processes = [started(port, k, folder, *checks) for k in range(2)]
    try:
        return [(*p.communicate(timeout=240), p.returncode) for p in processes]
    finally:
        for process in processes:
            process.kill()


def check(folder, *checks):
    for said, wrong, code in both(folder, *checks):
        assert code == 0, wrong
        # The library behind the collectives says what it is connected to.
        assert [line for line in said.splitlines() if not line.startswith("[Gloo]")] == list(checks)


def known(folder, name):
    """What one process gives that has all people, in a file."""
    said, wrong = started(0, 0, folder, name).communicate(timeout=240)
    assert said.split() == [name], wrong


def test_sums_of_two_processes_are_those_of_one(tmp_path):
    check(tmp_path, "mistakes", "sums")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "alone"),
    [("derivatives", "together"), ("fits", "fitted"), ("begins", "begun"), ("starts", "started")],
)
def test_fits_of_two_processes_are_those_of_one(name, alone, tmp_path):
    known(tmp_path, alone)
    check(tmp_path, name)


@pytest.mark.slow
def test_a_process_that_is_left_alone_says_so_and_ends(tmp_path):
    (said, wrong, code), (_, _, killed) = both(tmp_path, "left_alone")
    assert killed == -9
    assert code != 0
    assert "left alone" in said or "unhealthy" in wrong or "heartbeat" in wrong, wrong
