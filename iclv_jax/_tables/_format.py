"""How numbers look, in one place."""

import math


def number(value: float, digits: int = 4) -> str:
    """About `digits` significant digits, without an exponent where that reads well."""
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size != 0.0 and (size < 1e-3 or size >= 1e6):
        return f"{value:.{digits - 1}g}"
    decimals = max(0, digits - 1 - max(0, math.floor(math.log10(size)))) if size > 0 else digits - 1
    return f"{value:.{min(decimals, digits - 1)}f}"


MOST_DECIMALS = 9
"""Smaller errors than these can show are written with exponents."""


def estimated(value: float, *errors: float) -> tuple[str, ...]:
    """A value with its standard errors, all to the same decimals: as many as `number` gives the value, and so many that
    the smallest error has two significant digits."""
    known = [e for e in errors if math.isfinite(e) and e > 0.0]
    if not known or not math.isfinite(value):
        return tuple(number(v) for v in (value, *errors))
    needed = 1 - math.floor(math.log10(min(known)))
    if needed > MOST_DECIMALS or max(abs(value), *known) >= 1e6:
        digits = needed + 1 + math.floor(math.log10(abs(value))) if value else 0
        wide = 4 < digits <= MOST_DECIMALS
        return (f"{value:.{digits - 1}e}" if wide else number(value), *map(number, errors))
    usual = 3 - max(0, math.floor(math.log10(abs(value)))) if value else 3
    return tuple(fixed(v, max(usual, needed, 0)) for v in (value, *errors))


def fixed(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def probability(value: float) -> str:
    if math.isnan(value):
        return ""
    return "<0.001" if value < 0.0005 else f"{value:.3f}"


def loglike(value: float) -> str:
    return f"{value:,.4f}"
