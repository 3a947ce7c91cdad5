"""Declared grids: how a float that came through exp, log, trigonometry or a quantile may reach an output.

Such functions differ in the last bit between CPUs and libraries (law section 0), so their results are
rounded half to even to a grid coarse enough to swallow the difference. Vectors are apportioned instead
(``laws.apportionment``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SCALAR_UNITS: Final = 10**9
# A double holds 9,000 km to about 2e-12 km, so a 1e-9 km grid would leave three digits of slack and flip
# under another CPU's arcsine. A millimetre leaves six (docs/decisions/0002).
DISTANCE_UNITS: Final = 10**6
# An edge's weight is a whole number of these, a merchant's weights add up to one (law section 4, weights).
MASS_UNITS: Final = 10**12


def snap(values: ArrayLike, units: int = SCALAR_UNITS) -> NDArray[np.float64]:
    """Nearest multiple of 1/units, half to even, as the double closest to that multiple."""
    snapped: NDArray[np.float64] = np.rint(np.asarray(values, np.float64) * units) / units
    return snapped + 0.0  # −0.0 and 0.0 are one value on a grid, so they must be one in bytes


def snap_scalar(value: float, units: int = SCALAR_UNITS) -> float:
    """``snap`` of one number."""
    return float(snap(value, units))
