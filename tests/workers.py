"""Work that tests of workers send to other processes: functions at the top of a module that those can import."""

import os
import time

import numpy as np


def square(common, task):
    return {"square": np.asarray(common * task**2)}


def fail(common, task):
    if task == 2:
        raise ValueError(f"no {task}")
    return {"x": np.asarray(task)}


def die_once(folder, task):
    """Ends its process where the task is begun for the first time."""
    mark = folder / f"begun {task}"
    if task == 1 and not mark.exists():
        mark.touch()
        os._exit(3)
    return {"process": np.asarray(os.getpid()), "task": np.asarray(task)}


def die(common, task):
    if task == 1:
        os._exit(3)
    return {"task": np.asarray(task)}


def sleep(folder, task):
    (folder / f"pid {os.getpid()}").touch()
    time.sleep(60)
    return {"task": np.asarray(task)}
