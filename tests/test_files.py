"""What can be wrong with a file or a disk: a sentence for each, and nothing that is read on trust."""

import errno
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import small

import iclv_jax as iclv
from iclv_jax._base import _archive as archive
from iclv_jax._fit import _loading
from iclv_jax._fit._writing import FORMAT
from iclv_jax._optimise import _checkpoint as checkpoint
from iclv_jax._optimise._checkpoint import Checkpoint, RunState, TrainingState

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("fit") / "fit.npz"
    small.fitted("logit").save(path)
    return path


@pytest.fixture
def checkpointed(tmp_path):
    path = tmp_path / "state.npz"
    small.logit().fit(small.data(), progress=False, checkpoint=path)
    return path


def entries(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def rewritten(path, changed, signed=True):
    """A copy of a fit's file with other entries: with a digest that fits them, unless it is to stay."""
    held = {k: v for k, v in (entries(path) | changed).items() if v is not None}
    header = json.loads(held.pop("header").tobytes())
    if signed:
        header["digest"] = archive._digest(held)
    copy = path.with_name("changed.npz")
    np.savez(copy, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **held)
    return copy


def text(facts):
    return np.frombuffer(json.dumps(facts).encode(), np.uint8)


def facts(path):
    return json.loads(entries(path)["facts"].tobytes())


# --- fits that are damaged, or no fits ---


def test_any_flipped_bit_is_a_sentence_or_no_matter(saved, tmp_path):
    """Some bits of a zip file (its dates, say) mean nothing."""
    whole, generator = saved.read_bytes(), np.random.default_rng(0)
    path, harmless = tmp_path / "flipped.npz", 0
    places = np.concatenate([generator.integers(0, len(whole), 250), np.arange(len(whole) - 120, len(whole))])
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << generator.integers(8)
        path.write_bytes(changed)
        try:
            found = iclv.load(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            harmless += 1
            assert found.llf == small.fitted("logit").llf
    assert harmless < len(places) / 4


def test_any_cut_file_is_a_sentence(saved, tmp_path):
    whole, path = saved.read_bytes(), tmp_path / "cut.npz"
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is not a saved fit of iclv_jax, or is damaged"):
            iclv.load(path)


@pytest.mark.parametrize("kind", ["npy", "npz", "text", "folder", "another kind"])
def test_other_files_are_no_fits(kind, tmp_path, checkpointed):
    path, expected = tmp_path / "other.npz", "is not a saved fit"
    if kind == "npy":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "npz":
        np.savez(path, x=np.zeros(3))
    elif kind == "text":
        path.write_text("no fit")
    elif kind == "folder":
        path.mkdir()
        expected = "cannot be read: Is a directory"
    else:
        path, expected = checkpointed, "is a checkpoint, not a saved fit"
    with pytest.raises(ValueError, match=expected):
        iclv.load(path)


@pytest.mark.parametrize(("name", "value"), [("facts", None), ("facts", []), ("header", None), ("header", 3)])
def test_null_and_other_json_in_the_place_of_facts(saved, name, value):
    changed = rewritten(saved, {})
    held = entries(changed) | {name: text(value)}
    if name == "facts":
        header = json.loads(held["header"].tobytes())
        rest = {k: v for k, v in held.items() if k != "header"}
        held["header"] = text(header | {"digest": archive._digest(rest)})
    np.savez(changed, **held)
    with pytest.raises(ValueError, match="damaged"):
        iclv.load(changed)


@pytest.mark.parametrize("name", ["estimates", "hessian", "scores", "jacobian"])
def test_a_missing_array_is_named(saved, name):
    with pytest.raises(ValueError, match=f"is damaged: it lacks '{name}'"):
        iclv.load(rewritten(saved, {name: None}))


@pytest.mark.parametrize("name", ["names", "table", "report", "llf", "trace"])
def test_a_missing_fact_is_named(saved, name):
    told = {key: value for key, value in facts(saved).items() if key != name}
    with pytest.raises(ValueError, match=f"is damaged: it lacks '{name}'"):
        iclv.load(rewritten(saved, {"facts": text(told)}))


def test_arrays_of_other_shapes_are_refused(saved):
    with pytest.raises(ValueError, match=r"its estimates have the shape \(2,\), not \(3,\)"):
        iclv.load(rewritten(saved, {"estimates": np.zeros(2)}))


def test_changed_estimates_are_refused(saved):
    changed = rewritten(saved, {"estimates": entries(saved)["estimates"] + 0.1}, signed=False)
    with pytest.raises(ValueError, match="has been changed since iclv_jax wrote it"):
        iclv.load(changed)


def test_changed_estimates_with_a_new_digest_do_not_have_the_log_likelihood_of_the_file(saved):
    changed = rewritten(saved, {"estimates": entries(saved)["estimates"] + 0.1})
    with pytest.raises(ValueError, match=r"at the estimates of .* is -\d+\.\d+; the file says -\d+\.\d+"):
        iclv.load(changed, small.logit(), small.data())


def test_a_branch_that_shows_on_the_data_alone_is_seen_by_the_log_likelihood(tmp_path):
    """No point lies between the two limits, but people do."""

    def model(limit):
        return iclv.Model(
            choice=iclv.Logit(
                lambda b, x, lv: {"a": b.asc + b.price * jnp.where(x.code > limit, 1.0, 0.0), "b": 0.0},
                "choice",
            )
        )

    frame = small.data()
    frame["code"] = 3_000_001.0 + (frame["price"] > 0)
    path = tmp_path / "fit.npz"
    model(3_000_001.5).fit(frame, progress=False).save(path)
    iclv.load(path, model(3_000_001.2), frame)
    with pytest.raises(ValueError, match="shows on the data alone"):
        iclv.load(path, model(3_000_000.5), frame)


def test_another_version_of_the_format_is_a_sentence(saved, monkeypatch):
    monkeypatch.setattr(_loading, "FORMAT", replace(FORMAT, version=FORMAT.version + 1))
    with pytest.raises(
        ValueError, match=r"has version 2 of the format; this iclv_jax reads version 3. Fit the model"
    ):
        iclv.load(saved)


def test_a_rule_is_looked_up_among_rules(saved):
    for kind in ("np", "find_centre", "Nodes", "GausHermite"):
        told = facts(saved) | {"rule": {"kind": kind}}
        with pytest.raises(ValueError, match="names the rule of integration"):
            iclv.load(rewritten(saved, {"facts": text(told)}), small.logit(), small.data())
    told = facts(saved) | {"rule": {"kind": "GaussHermite", "nodes": 3, "other": 1}}
    with pytest.raises(ValueError, match="a part of its report cannot be read"):
        iclv.load(rewritten(saved, {"facts": text(told)}), small.logit(), small.data())


def bomb(path, source, name):
    """A file that unpacks to a gigabyte of zeros."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if info.filename != f"{name}.npy":
                new.writestr(info.filename, old.read(info))
        with new.open(f"{name}.npy", "w", force_zip64=True) as entry:
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": "<f8", "fortran_order": False, "shape": (2**27,)}
            )
            entry.write(header.getvalue())
            for _ in range(2**6):
                entry.write(bytes(2**24))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scores", "unused"])
def test_a_file_that_unpacks_to_a_gigabyte_is_not_read(saved, tmp_path, name, monkeypatch):
    path = tmp_path / "bomb.npz"
    bomb(path, saved, name)
    monkeypatch.setattr(archive, "_array", None)  # Nothing may be unpacked.
    with pytest.raises(ValueError, match=r"would unpack to 1,0\d\d,\d\d\d,\d\d\d bytes"):
        iclv.load(path)


def test_an_entry_that_nobody_uses_is_not_read(saved):
    with pytest.raises(ValueError, match="holds entries that no saved fit has: 'extra'"):
        iclv.load(rewritten(saved, {"extra": np.zeros(3)}))


def test_an_entry_whose_own_header_lies_is_not_read(saved, tmp_path):
    path = tmp_path / "lying.npz"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "hessian.npy":
                content = content.replace(b"(3, 3)", b"(9999999, 3)", 1).replace(b" " * 6, b"", 1)
            new.writestr(info.filename, content)
    with pytest.raises(ValueError, match=r"the entry 'hessian' does not have the size that it says"):
        iclv.load(path)


# --- places that take no file ---

NOWHERE = Path("/proc/fit.npz")
"""A folder in which not even the administrator can make a file."""
needs_proc = pytest.mark.skipif(not NOWHERE.parent.is_dir(), reason="no /proc")


@needs_proc
def test_a_folder_that_cannot_be_written_to_is_said_before_the_fit(monkeypatch):
    monkeypatch.setattr(iclv.Problem, "slope", None)
    with pytest.raises(ValueError, match=r"checkpoint='/proc/fit.npz' cannot be written: .* another folder"):
        small.logit().fit(small.data(), progress=False, checkpoint=NOWHERE)


@needs_proc
def test_a_fit_is_not_saved_where_nothing_can_be(tmp_path):
    fit = small.fitted("logit")
    with pytest.raises(ValueError, match=r"'/proc/fit.npz' cannot be written"):
        fit.save(NOWHERE)
    with pytest.raises(ValueError, match="is a folder"):
        fit.save(tmp_path)
    with pytest.raises(ValueError, match=r"does not exist. Make it first"):
        fit.save(tmp_path / "none" / "fit.npz")


def test_a_full_disk_while_saving_names_the_file_and_leaves_the_old_one(saved, monkeypatch):
    before = saved.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(archive.os, "fsync", full)
    with pytest.raises(OSError, match=r"could not be saved \(No space left on device\).*fit.npz"):
        small.fitted("logit").save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir() if ".part" in p.name] == []


def test_a_full_disk_does_not_end_a_fit(tmp_path, monkeypatch):
    """The disk is full from the third write on."""
    path, count, sync = tmp_path / "state.npz", 0, os.fsync
    whole = small.logit().fit(small.data(), progress=False)

    def filling(handle):
        nonlocal count
        count += 1
        if count >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(archive.os, "fsync", filling)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit = small.logit().fit(small.data(), progress=False, checkpoint=path)
    monkeypatch.undo()
    assert count > 3 and len(seen) == 1
    assert "state.npz" in str(seen[0].message) and "No space left on device" in str(seen[0].message)
    pd.testing.assert_series_equal(fit.params, whole.params, check_exact=True)
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]
    resumed = small.logit().fit(small.data(), progress=False, checkpoint=path)
    pd.testing.assert_series_equal(resumed.params, whole.params, check_exact=True)


def test_a_file_larger_than_is_allowed_is_like_a_full_disk(tmp_path):
    """A real error of the system in the middle of an entry."""
    path = tmp_path / "state.npz"
    slot = Checkpoint(path, {}).slot()
    state = TrainingState(*(np.zeros(3),) * 2, (np.ones(2),), np.zeros(()), np.zeros(3), 0.5, 1)
    slot.save(state, [])
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = state._replace(point=np.random.default_rng(0).normal(size=200_000))
    with tempfile.TemporaryFile() as spare, pytest.warns(UserWarning, match="File too large"):
        spare.write(b"")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            slot.save(large, [])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before


# --- checkpoints ---


def test_a_state_comes_back_from_its_file(tmp_path):
    array = np.arange(3.0)
    run = RunState(
        array, 0.25, array + 1.0, array > 1.0, None, array, None, (array, np.zeros((2, 2))), False, 3, 1, 2, 0.1, 1e-9,
        None, True, False, ("asc",),
    )  # fmt: skip
    training = TrainingState(array, array, (), np.ones(()), array, -np.inf, 0)
    path, trace = tmp_path / "state.npz", [{"iteration": 1, "seconds": 0.5, "ratio": float("nan")}]
    first = Checkpoint(path, {"start": 1})
    first.slot().save(run, trace)
    first.slot().save(training, [])
    again = Checkpoint(path, {"start": 1})
    slots = again.slot(), again.slot(), again.slot()
    assert [slot.saved for slot in slots] == [True, True, False]
    for slot, state in zip(slots, (run, training), strict=False):
        found, rows = slot.restored(type(state))
        assert len(rows) == len(trace if state is run else [])
        for one, other in zip(found, state, strict=True):
            assert (one is None) == (other is None)
            if isinstance(other, tuple) and not isinstance(other[:1], str):
                assert len(one) == len(other)
                for a, b in zip(one, other, strict=True):
                    np.testing.assert_array_equal(a, b)
            elif other is not None:
                np.testing.assert_array_equal(one, other)
    with pytest.raises(
        ValueError, match="belongs to other start values: the whole is 1 in the file and 2 here"
    ):
        Checkpoint(path, {"start": 2})
    with pytest.raises(ValueError, match="is damaged: it lacks"):
        slots[0].restored(TrainingState)


def test_a_damaged_checkpoint_is_a_sentence(checkpointed):
    whole = checkpointed.read_bytes()
    generator = np.random.default_rng(1)
    for place in generator.integers(0, len(whole), 60):
        changed = bytearray(whole)
        changed[place] ^= 1 << generator.integers(8)
        checkpointed.write_bytes(changed)
        try:
            Checkpoint(checkpointed, {})
        except ValueError as error:
            assert "state.npz" in str(error)


def test_another_version_of_a_checkpoint_is_a_sentence(checkpointed, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", replace(checkpoint.FORMAT, version=1))
    with pytest.raises(
        ValueError, match=r"has version 2 of the format; this iclv_jax reads version 1. Delete it"
    ):
        Checkpoint(checkpointed, {})


def test_a_checkpoint_with_another_value_at_its_point_is_of_another_model(tmp_path):
    path = tmp_path / "state.npz"
    slot = Checkpoint(path, {}).slot()
    slot.check_value(0.5, 0.5 + 1e-9)
    slot.check_value(float("nan"), 0.5)
    with pytest.raises(ValueError, match=r"belongs to another model: the objective at its point is 0.5"):
        slot.check_value(0.5, 0.51)


# --- a checkout on the path ---

SAVE = """
import importlib.metadata as metadata
known = metadata.distribution
def distribution(name):
    if name.replace("_", "-") == "iclv-jax":
        raise metadata.PackageNotFoundError(name)
    return known(name)
metadata.distribution = distribution
import small, iclv_jax, sys
small.fitted("logit").save(sys.argv[1])
print(iclv_jax.load(sys.argv[1]).about["versions"]["iclv_jax"] == iclv_jax.__version__)
"""


def test_a_checkout_that_is_not_installed_saves(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SAVE, str(tmp_path / "fit.npz")],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PATH": "", "JAX_PLATFORMS": "cpu"},
    )
    assert done.stdout.strip() == "True", done.stderr
