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


@pytest.mark.parametrize(
    "checks", [["mistakes", "derivatives"], ["classes"], ["fits"], ["steps"]], ids="-".join
)
def test_two_devices_give_the_numbers_of_one(checks):
    done = subprocess.run(
        [sys.executable, str(HERE / "on_devices.py"), *checks],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]),
            "JAX_PLATFORMS": "cpu",
        },
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == checks
