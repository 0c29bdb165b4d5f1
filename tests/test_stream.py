"""People in chunks: the numbers of all of them in memory together, and what is wrong with a stream in a sentence."""

import numpy as np
import pandas as pd
import pytest
import small

import iclv_jax as iclv
from iclv_jax._inference._resample import draw_weights
from iclv_jax._optimise import OptimizerReport, Verdict
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._stream import StreamedFit

RULE = iclv.GaussHermite(4)


def trips(people=60, seed=0):
    """Panels of one to four choices and three items, sorted by person."""
    generator = np.random.default_rng(seed)
    frame = small.data(people).drop(columns="choice")
    rows = frame.loc[np.repeat(np.arange(people), 1 + np.arange(people) % 4)]
    rows = rows.rename_axis("id").reset_index()
    rows["price"] = generator.normal(size=len(rows))
    lead = 0.5 - rows["price"] + generator.logistic(size=len(rows))
    return rows.assign(choice=np.where(lead > 0, "a", "b"))


def cut(frame, chunks):
    """The frame in so many pieces, people whole."""
    people = np.array_split(frame["id"].unique(), chunks)
    return [frame[frame["id"].isin(some)] for some in people]


@pytest.fixture(scope="module")
def data():
    return trips()


@pytest.fixture(scope="module")
def whole(data):
    problem = small.hybrid().bind(data, person="id", weights="w", integration=RULE)
    return problem.recentre(problem.start() + 0.1)


@pytest.fixture(scope="module")
def many():
    return trips(150)


@pytest.fixture(scope="module")
def fit(many):
    keywords = {"person": "id", "cluster": "group", "integration": RULE, "progress": False}
    start = small.hybrid().bind(many, person="id", integration=RULE)
    return small.hybrid().fit(many, start=start.unpack(start.start()), **keywords)


@pytest.mark.gate("7")
@pytest.mark.parametrize("chunks", [1, 2, 7])
def test_chunks_have_the_numbers_of_all_people_together(data, whole, chunks):
    people = iclv.People.stream(cut(data, chunks), person="id", weights="w")
    params = whole.start() + 0.1
    problem = small.hybrid().bind(people, integration=RULE).recentre(params)
    tight = {"rtol": 1e-12, "atol": 1e-11}
    np.testing.assert_allclose(problem.loglike(params), whole.loglike(params), **tight)
    np.testing.assert_allclose(problem.score(params), whole.score(params), **tight)
    for method in ("exact", "bhhh"):
        np.testing.assert_allclose(problem.hessian(params, method), whole.hessian(params, method), **tight)
    each = np.concatenate(list(problem.loglike_person(params)))
    np.testing.assert_allclose(each, whole.loglike_person(params), **tight)
    scores = np.concatenate(list(problem.score_person(params)))
    np.testing.assert_allclose(scores, whole.score_person(params), **tight)


def test_a_fit_of_chunks_is_that_of_all_people_together(many, fit, tmp_path):
    people = iclv.People.stream(lambda: iter(cut(many, 2)), person="id", cluster="group")
    # From the same start both place their nodes at the same points.
    start = dict(zip(fit.names, fit.start, strict=True))
    found = small.hybrid().fit(people, integration=RULE, progress=False, start=start)
    assert fit.converged
    assert found.converged
    assert found.llf == pytest.approx(fit.llf, rel=1e-10)
    assert found.nobs == fit.nobs
    np.testing.assert_allclose(found.params, fit.params, rtol=1e-8, atol=1e-8)
    for kind in ("hessian", "bhhh", "robust", "cluster"):
        np.testing.assert_allclose(found.cov_params(kind), fit.cov_params(kind), rtol=1e-7, atol=1e-9)
    assert found.bic == pytest.approx(fit.bic)
    assert "150 in 2 chunks" in str(found.summary())
    found.predict(tmp_path / "shares.csv")
    shares = pd.read_csv(tmp_path / "shares.csv")
    np.testing.assert_allclose(shares[["a", "b"]], fit.predict()[["a", "b"]], atol=1e-5)
    with pytest.raises(ValueError, match="one of 'hessian', 'bhhh', 'robust', 'cluster', not 'jackknife'"):
        found.cov_params("jackknife")


@pytest.mark.slow
def test_a_fit_begins_with_the_first_chunk(many, fit):
    """Nodes are then placed on another way, so that four of them agree less well."""
    found = small.hybrid().fit(
        iclv.People.stream(cut(many, 2), person="id"), integration=RULE, progress=False
    )
    assert found.converged
    assert np.abs((found.params - fit.params) / fit.bse).max() < 0.1


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv"])
def test_files_are_read_in_whole_people(data, kind, tmp_path):
    if kind != "csv":
        pytest.importorskip("pyarrow")
    for k, part in enumerate(cut(data, 2)):
        path = tmp_path / f"part{k}.{kind}"
        part = part.reset_index(drop=True)
        part.to_csv(path, index=False) if kind == "csv" else getattr(part, f"to_{kind}")(path)
    chunks = list(iclv.People.stream(f"{tmp_path}/*.{kind}", person="id", rows=17).chunks())
    assert len(chunks) > 2 or kind == "feather"
    assert chunks[0].name.startswith(f"part0.{kind}, rows 0 to ")
    found = pd.concat([chunk.frame for chunk in chunks], ignore_index=True)
    pd.testing.assert_frame_equal(found, data.reset_index(drop=True), check_dtype=False)
    owners = [set(chunk.frame["id"]) for chunk in chunks]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_levels_are_those_of_all_chunks(data):
    first, second = cut(data, 2)
    first = first.assign(q1=first["q1"].clip(upper=2))
    problem = small.hybrid().bind(iclv.People.stream([first, second], person="id"), integration=RULE)
    assert problem.first.panel.levels["q1"] == (1, 2, 3)


def started(fit):
    return dict(zip(fit.names, fit.start, strict=True))


def test_penalties_hold_in_chunks(many, fit):
    keywords = {
        "integration": RULE,
        "progress": False,
        "start": started(fit),
        "penalties": {"price": iclv.L2(40.0)},
    }
    whole = small.hybrid().fit(many, person="id", **keywords)
    found = small.hybrid().fit(iclv.People.stream(cut(many, 2), person="id"), **keywords)
    assert found.penalty == pytest.approx(whole.penalty, rel=1e-7)
    np.testing.assert_allclose(found.params, whole.params, rtol=1e-7, atol=1e-7)
    for kind in ("hessian", "robust"):
        np.testing.assert_allclose(found.cov_params(kind), whole.cov_params(kind), rtol=1e-6, atol=1e-9)
    assert "penalised" in str(found.summary())
    with pytest.raises(ValueError, match="AIC: this fit is penalised"):
        _ = found.aic


def test_a_fit_of_chunks_goes_on_from_its_checkpoint(many, fit, tmp_path):
    people, path = iclv.People.stream(cut(many, 2), person="id"), tmp_path / "state.npz"
    keywords = {"integration": RULE, "progress": False, "start": started(fit), "checkpoint": path}
    short = small.hybrid().fit(people, optimizer=iclv.TrustRegion(max_iterations=2), **keywords)
    assert not short.converged
    found = small.hybrid().fit(people, **keywords)
    assert found.trace["evaluations"].iloc[:2].equals(short.trace["evaluations"])
    np.testing.assert_allclose(found.params, fit.params, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(found.uncertainty.standard_errors(), found.bse)
    assert found.exports.to_dict()["people"] == 150 and "taste" in found.exports.to_latex()
    for call in (lambda: found.choices.elasticities, lambda: found.scenario, lambda: found.latent_scores):
        with pytest.raises(
            AttributeError, match="needs all people in memory, and those of this fit came in chunks"
        ):
            call()
    with pytest.raises(ValueError, match="belongs to other data"):
        small.hybrid().fit(iclv.People.stream(cut(many, 3), person="id"), **keywords)


def test_groups_are_those_of_all_chunks(data):
    data = data.assign(town=np.where(data["id"] % 3 == 0, "Ede", "Ulm"))
    whole = small.logit(group="town").bind(data, person="id")
    chunks = cut(data, 2)
    found = small.logit(group="town").bind(iclv.People.stream(chunks, person="id"))
    assert found.names == whole.names
    params = whole.start() + 0.1
    np.testing.assert_allclose(found.score(params), whole.score(params), rtol=1e-12)
    np.testing.assert_allclose(found.hessian(params), whole.hessian(params), rtol=1e-12, atol=1e-12)
    chunks[0] = chunks[0].assign(town="Ulm")
    with pytest.raises(ValueError, match="frame 1: nobody is in the group 'Ede', and a fit begins"):
        small.logit(group="town").bind(iclv.People.stream(chunks, person="id"))


@pytest.mark.parametrize("how", ["z", "minmax", "one-hot"])
def test_standard_units_are_those_of_all_chunks(data, how):
    data = data.assign(age=data["id"] % 5) if how == "one-hot" else data
    hybrid = small.hybrid().spec
    latent = iclv.Latent("green", on=[iclv.Standardized("age", how)])
    model = iclv.Model([latent], hybrid.indicators, hybrid.choices[0])
    whole = model.bind(data, person="id", integration=RULE)
    found = model.bind(iclv.People.stream(cut(data, 3), person="id"), integration=RULE)
    assert found.names == whole.names
    assert found.first.panel.levels == whole.panel.levels
    np.testing.assert_allclose(found.first.table.moments, whole.table.moments, rtol=1e-13)


def test_means_far_from_zero_are_those_of_all_chunks(data):
    """One chunk alone has a covariate that is far from zero."""
    data = data.assign(age=data["age"] + 8.0 - 16.0 * (data["id"] >= 57))
    whole = small.hybrid().bind(data, person="id", integration=RULE)
    found = small.hybrid().bind(iclv.People.stream(cut(data, 3), person="id"), integration=RULE)
    assert found.first.panel.take(np.arange(20)).far == whole.panel.far
    np.testing.assert_allclose(found.first.table.constants, whole.table.constants, rtol=1e-13)


@pytest.mark.parametrize("sequence", ["spherical", "mlhs"])
def test_designs_of_people_do_not_depend_on_chunks(data, sequence):
    rule = iclv.Adaptive(8, sequence, final_draws=8)
    whole = small.hybrid().bind(data, person="id", integration=rule)
    params = whole.start() + 0.1
    wanted = float(whole.recentre(params).loglike(params))
    for chunks in (1, 4):
        found = small.hybrid().bind(iclv.People.stream(cut(data, chunks), person="id"), integration=rule)
        assert found.recentre(params).loglike(params) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("sequence", ["halton", "sobol", "random", "mlhs", "spherical"])
def test_draws_are_those_of_all_people_together(sequence):
    rules = [iclv.Adaptive(20, sequence), iclv.Conditioned(iclv.Adaptive(120, sequence))]
    if sequence != "spherical":
        rules.append(iclv.MonteCarlo(8, sequence))
    for rule in rules:
        whole, part = rule.standard(9, 2), rule.behind(3, 4, 9, 2)
        np.testing.assert_array_equal(part.points, whole.points[3:7])


def test_a_stream_has_the_draws_of_all_people(data):
    model, rule = small.logit(random={"price": iclv.Normal()}), iclv.MonteCarlo(8, "sobol")
    whole = model.bind(data, person="id", integration=rule)
    found = model.bind(iclv.People.stream(cut(data, 3), person="id"), integration=rule)
    params = whole.start() + 0.1
    assert found.loglike(params) == pytest.approx(float(whole.loglike(params)), rel=1e-12)


@pytest.mark.slow
def test_a_fit_of_chunks_comes_back_from_a_file(data, tmp_path):
    model = small.logit(random={"price": iclv.Normal()})

    def people(chunks):
        return iclv.People.stream(cut(data, chunks), person="id", cluster="group")

    found = model.fit(people(2), integration=iclv.Adaptive(8, final_draws=8), progress=False)
    found.save(tmp_path / "fit.npz")
    bare, again = iclv.load(tmp_path / "fit.npz"), iclv.load(tmp_path / "fit.npz", model, people(3))
    for other in (bare, again):
        assert other.llf == pytest.approx(found.llf, rel=1e-10)
        assert (other.nobs, other.converged, str(other.summary())) == (
            found.nobs,
            True,
            str(found.summary()),
        ) or (other is again)
        for kind in ("hessian", "bhhh", "robust", "cluster"):
            np.testing.assert_allclose(other.cov_params(kind), found.cov_params(kind), rtol=1e-8, atol=1e-12)
        pd.testing.assert_frame_equal(other.table(), found.table(), rtol=1e-8)
    with pytest.raises(ValueError, match=r"iclv\.Model and iclv\.People\.stream"):
        iclv.load(tmp_path / "fit.npz", model, data)
    fewer = iclv.People.stream([cut(data, 2)[0]], person="id", cluster="group")
    with pytest.raises(ValueError, match="other people: people 60, here 30"):
        iclv.load(tmp_path / "fit.npz", model, fewer)
    (tmp_path / "bad.npz").write_bytes((tmp_path / "fit.npz").read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"bad\.npz"):
        iclv.load(tmp_path / "bad.npz")


@pytest.mark.slow
def test_samples_and_profiles_are_those_of_all_people_together(many):
    model = small.logit()
    whole = model.fit(many, person="id", progress=False)
    every = [
        model.fit(iclv.People.stream(cut(many, chunks), person="id"), progress=False) for chunks in (2, 5)
    ]
    start = dict(zip(whole.names, whole.estimates, strict=True))
    wanted = [
        model.fit(many, person="id", weights=w, weights_are="frequency", start=start, progress=False).params
        for w in draw_weights(whole.problem, 2, 3)
    ]
    for found in every:
        samples = found.bootstrap(2, seed=3).samples
        np.testing.assert_allclose(samples, np.array(wanted), rtol=1e-6, atol=1e-7)
        one, other = (fit.profile("price", level=0.9) for fit in (found, whole))
        np.testing.assert_allclose([one.lower, one.upper], [other.lower, other.upper], rtol=1e-5)
    with pytest.raises(ValueError, match="samples is a positive whole number"):
        found.bootstrap(0)


def test_what_is_wrong_with_a_stream_is_said(data, tmp_path):
    first, second = cut(data, 2)
    stream = iclv.People.stream
    with pytest.raises(ValueError, match="generator is used up"):
        stream(frame for frame in (first, second))
    with pytest.raises(ValueError, match="needs no stream"):
        stream(data)
    with pytest.raises(ValueError, match="does not exist"):
        stream(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="No file is called like"):
        stream(f"{tmp_path}/*.csv")
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match=r"none of \.parquet, \.feather, \.csv"):
        stream(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="rows="):
        stream([data], rows=0)

    def bound(*frames, **keywords):
        return small.hybrid().bind(stream(list(frames), person="id"), integration=RULE, **keywords)

    with pytest.raises(ValueError, match="has nothing in it"):
        bound()
    with pytest.raises(ValueError, match=r"frame 2: person 0 stands in an earlier chunk too.*sort"):
        bound(first, first)
    with pytest.raises(ValueError, match="frame 2: column 'age' does not stand both here and in frame 1"):
        bound(first, second.drop(columns="age"))
    with pytest.raises(ValueError, match=r"frame 2: .*'price'"):
        bound(first, second.assign(price="dear"))
    with pytest.raises(
        ValueError, match=r"weights= is not for a stream of people. Give it to iclv.People.stream"
    ):
        bound(first, weights="w")
    with pytest.raises(ValueError, match=r"batch_people= is not for people in chunks .*Leave it out"):
        bound(first, batch_people=10)
    with pytest.raises(ValueError, match="frame 2: the ordered categories of column 'q1' are None"):
        bound(first.assign(q1=pd.Categorical(first["q1"], [1, 2, 3], ordered=True)), second)
    with pytest.raises(ValueError, match="Stochastic needs people in memory"):
        import optax

        small.hybrid().fit(stream([first], person="id"), optimizer=iclv.Stochastic(optax.adam(0.1)))


@pytest.mark.gate("answers")
@pytest.mark.parametrize("given", ["nothing", "answers"])
def test_predictions_of_chunks_are_those_of_all_people_together(data, given, tmp_path):
    """People have the draws of their places among all there too."""
    random = {"price": iclv.LogNormal(sign=-1), "time": iclv.Normal(), "age": iclv.Normal()}

    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.time * x.time + b.age * x.age, "b": 0.0}

    model, rule = iclv.Model(choice=iclv.Logit(utility, "choice"), random=random), iclv.Adaptive(12)
    whole = model.bind(data, person="id", integration=rule)
    people = iclv.People.stream(cut(data, 3), person="id")
    at, report = (
        np.asarray(whole.start()),
        OptimizerReport(Verdict.CONVERGED, "", 1, 1, 0.0, 0.0, 0.0, 0.0, {}, ()),
    )
    chunks = model.bind(people, integration=rule)
    unknown = Accuracy(1, None, None)
    StreamedFit(chunks, at, report, unknown, ()).predict(tmp_path / "shares.csv", given=given)
    wanted = iclv.Fit(whole, at, report, at, unknown, ()).predict(data, given=given)
    found = pd.read_csv(tmp_path / "shares.csv")
    np.testing.assert_allclose(found[["a", "b"]], wanted, rtol=1e-10)


@pytest.mark.parametrize("first", [1, 59])
def test_a_chunk_of_one_person_has_nodes_of_its_own(data, first):
    model, rule = small.logit(random={"price": iclv.Normal()}), iclv.MonteCarlo(8, "sobol")
    whole = model.bind(data, person="id", integration=rule)
    cuts = [data[data["id"] < first], data[data["id"] >= first]]
    found = model.bind(iclv.People.stream(cuts, person="id"), integration=rule)
    params = whole.start() + 0.1
    assert found.loglike(params) == pytest.approx(float(whole.loglike(params)), rel=1e-12)


def test_people_that_change_between_two_readings_are_refused(data, tmp_path):
    pieces = cut(data, 3)

    def bound(second):
        passes = iter([pieces, second])
        return small.logit().bind(iclv.People.stream(lambda: next(passes), person="id"))

    for second, name in (
        (pieces[:2], "frame 3"),
        ([*pieces, pieces[0]], "frame 4"),
        ([pieces[0], pieces[0], pieces[2]], "frame 2"),
        ([pieces[0], pieces[1].iloc[:-1], pieces[2]], "frame 2"),
    ):
        with pytest.raises(ValueError, match=f"{name}: the people there are not those of the first reading"):
            bound(second)
    assert bound(pieces).nobs == 60
    other = pieces[1].assign(price=pieces[1]["price"].where(pieces[1].index != pieces[1].index[3], 7.0))
    for column, frame in (("price", other), ("choice", pieces[1].assign(choice="a"))):
        with pytest.raises(
            ValueError, match=f"frame 2: the values of column '{column}' are not those of the first reading"
        ):
            bound([pieces[0], frame, pieces[2]])
    with pytest.raises(ValueError, match="frame 3: the columns there are not those of the first reading"):
        bound([*pieces[:2], pieces[2].drop(columns="w")])
    # The order of columns is nobody's business, and what is no value is not looked at.
    assert bound([piece[[*piece.columns[::-1]]] for piece in pieces]).nobs == 60
    pieces = [piece.assign(note=[[k] for k in range(len(piece))]) for piece in pieces]
    assert bound([piece.assign(note=[{}] * len(piece)) for piece in pieces]).nobs == 60
    first, second = data[data["id"] < 30], data[data["id"] >= 30]
    for k, part in enumerate((first, second)):
        part.to_csv(tmp_path / f"{k}.csv", index=False)
    start = {"asc": 0.5, "price": -1.0, "time": 0.0}
    people = iclv.People.stream(f"{tmp_path}/*.csv", person="id")
    fit = small.logit().fit(people, progress=False, start=start)
    second.assign(time=second["time"] + 1.0).to_csv(tmp_path / "1.csv", index=False)
    with pytest.raises(ValueError, match=r"1\.csv, rows 0 to .*: the values of column 'time' are not those"):
        fit.predict(tmp_path / "shares.csv")
    second.iloc[1:].to_csv(tmp_path / "1.csv", index=False)
    with pytest.raises(ValueError, match=r"1\.csv, rows 0 to .*the people there are not those of the first"):
        fit.predict(tmp_path / "shares.csv")
    second[:0].to_csv(tmp_path / "1.csv", index=False)
    with pytest.raises(ValueError, match=r"1\.csv: it is empty: it has no rows"):
        small.logit().bind(people)


def test_people_are_called_in_one_way(data):
    first, second = cut(data, 2)
    for odd, kind in ((second["id"].astype(str), "text"), (second["id"] + 0.0, "numbers with a point")):
        people = iclv.People.stream([first, second.assign(id=odd)], person="id")
        with pytest.raises(
            ValueError, match=f"frame 2: column 'id' holds {kind}, and whole numbers in frame 1"
        ):
            small.logit().bind(people)


def test_a_chunk_that_fails_is_named(data):
    def refuse(part):
        raise ValueError("no")

    problem = small.logit().bind(iclv.People.stream(cut(data, 3), person="id"))
    with pytest.raises(RuntimeError, match="frame 1: no"):
        problem.summed(refuse)
    kept = problem.passed.scratch._folder / "chunk 1.npy"
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(RuntimeError, match=r"frame 2: what was kept of it in .* cannot be read .*Fit again"):
        problem.loglike(np.zeros(3))
