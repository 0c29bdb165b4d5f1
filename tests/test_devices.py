"""Several devices, in processes whose CPU counts as two: the checks are those of `on_devices`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]),
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "ICLV_JAX_CACHE": "off",
}


def check(*checks):
    done = subprocess.run(
        [sys.executable, str(HERE / "on_devices.py"), *checks],
        capture_output=True,
        text=True,
        env=os.environ | ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(checks)


def test_derivatives_on_two_devices_are_those_of_one():
    check("mistakes", "derivatives")


@pytest.mark.slow
def test_fits_on_two_devices_are_those_of_one():
    check("fits")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["more", "classes", "after", "steps", "starts", "trains"])
def test_whatever_else_is_the_same(name):
    check(name)
