"""Files that hold the answers of tasks after a fit, with what they depend on."""

from iclv_jax._base._answers import Answers
from iclv_jax._base._facts import Fact, Facts, fact
from iclv_jax._base._types import File, Given
from iclv_jax._inference._estimated import Maximum
from iclv_jax._problem import Problem
from iclv_jax._problem._fingerprint import of_data, of_model, of_rule


def answers_of(fit: Maximum, resume: Given[File | None], what: str, **settings: Fact) -> Answers:
    """The file `resume` of this fit; answers in memory alone where it is None. ValueError for that of another fit."""
    if resume is None:
        return Answers()
    applied: Fact = [] if fit.penalties is None else fact(fit.penalties.applied)
    known = {"estimates": fact(fit.estimates), "penalties": applied}
    return Answers(resume, facts_of(fit.problem, what, **settings, **known))


def facts_of(problem: Problem, what: str, **settings: Fact) -> Facts:
    """What answers depend on."""
    about: Facts = {
        "model": of_model(problem),
        "data": of_data(problem),
        "integration": of_rule(problem.rule),
    }
    return {"answers": what, **about, **settings}
