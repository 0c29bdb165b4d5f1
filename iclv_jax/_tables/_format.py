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


def fixed(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def probability(value: float) -> str:
    if math.isnan(value):
        return ""
    return "<0.001" if value < 0.0005 else f"{value:.3f}"


def loglike(value: float) -> str:
    return f"{value:,.4f}"
