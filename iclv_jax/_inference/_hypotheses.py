"""The result of a test of hypotheses."""

from collections.abc import Sequence
from dataclasses import dataclass

from iclv_jax._base._distributions import chi2_tail
from iclv_jax._tables import Report, Tabular, number, probability


@dataclass(frozen=True)
class HypothesisTest(Tabular):
    """The result of a test.

    Attributes
    ----------
    name
        Which test.
    hypotheses
        What is tested, in words.
    statistic
        NaN where it cannot be computed; `notes` say why.
    df
        Degrees of freedom of the chi-squared distribution; None for a statistic that is standard normal.
    pvalue
        Probability of a statistic at least as large under the hypotheses; two-sided for a normal one.
    notes
        What a reader must know.
    """

    name: str
    hypotheses: tuple[str, ...]
    statistic: float
    df: int | None
    pvalue: float
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """Statistic and p in words."""
        p = probability(self.pvalue) or "none"
        return f"{self._symbol} = {number(self.statistic) or 'none'}, p {p if p[0] == '<' else f'= {p}'}"

    @property
    def _symbol(self) -> str:
        return "z" if self.df is None else f"chi2({self.df})"

    def __str__(self) -> str:
        lines = [self.name, *(f"  {h}" for h in self.hypotheses), self.outcome]
        return "\n".join([*lines, *(f"* {note}" for note in self.notes)])

    __repr__ = __str__

    def as_report(self) -> Report:
        said = [("Hypothesis" if i == 0 else "", h) for i, h in enumerate(self.hypotheses)]
        values = [(self._symbol, number(self.statistic) or "none"), ("p", probability(self.pvalue) or "none")]
        return Report(self.name, (*said, *values), (), (), self.notes)


def chi_squared(
    name: str, hypotheses: Sequence[str], statistic: float, df: int, notes: Sequence[str] = ()
) -> HypothesisTest:
    """A test whose statistic is chi-squared under the hypotheses."""
    return HypothesisTest(name, tuple(hypotheses), statistic, df, chi2_tail(statistic, df), tuple(notes))
