"""Student's t: the result of a test that refers a difference to it, with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from analysis.methods.interval import NO_INTERVAL, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TResult:
    """A difference with its standard error, for the population that the standard error speaks about.

    Parameters
    ----------
    estimate, standard_error : float
        In one unit.
    df : float
        Degrees of freedom of the standard error.
    """

    estimate: float
    standard_error: float
    df: float

    def interval(self, confidence: float = 0.95) -> Interval:
        """Confidence interval of the difference, over what the test generalises to.

        Parameters
        ----------
        confidence : float
            Between 0 and 1, both excluded.

        Returns
        -------
        Interval
            NaN where the test has no standard error, or a standard error of 0.

        Raises
        ------
        ValueError
            If `confidence` is outside its range.

        Examples
        --------
        >>> [round(limit, 3) for limit in TResult(estimate=0.02, standard_error=0.01, df=4).interval()]
        [-0.008, 0.048]
        """
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
        if not self.standard_error > 0:
            return NO_INTERVAL
        half = float(special.stdtrit(self.df, 0.5 + confidence / 2)) * self.standard_error
        return Interval(self.estimate - half, self.estimate + half)
