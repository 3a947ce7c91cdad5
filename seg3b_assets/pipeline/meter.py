"""Wall time and peak memory of one stretch of this process.

The kernel's high-water mark is reset when a stretch begins, so that each state shows its own peak and not the
largest so far. Measurements go to the run record, never into an output.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

_RESET_PEAK = b"5"
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Meter:
    """Measures from its construction on. Where the mark cannot be reset, the peak is the process's so far."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        try:
            _CLEAR.write_bytes(_RESET_PEAK)
            self._reset = True
        except OSError:
            self._reset = False

    def seconds(self) -> float:
        """Wall seconds so far."""
        return time.perf_counter() - self._started

    def megabytes(self) -> float:
        """Peak resident set so far, in MB (10^6 bytes), to one decimal."""
        kilobytes = _high_water() if self._reset else None
        if kilobytes is None:
            kilobytes = _process_peak()
        return round(kilobytes * 1024 / 1e6, 1)


def _high_water() -> float | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1])
    return None


def _process_peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak  # bytes there, kilobytes elsewhere
