"""``seg3b doctor``: what would stop a run, all of it at once, and what is odd and allowed.

Nothing here judges by itself: inputs are held against the states' own checks, so that what the doctor passes a run
passes, and what a run refuses the doctor names with the same code. Nothing is written, made or changed.
"""

from __future__ import annotations

from seg3b_assets.doctor.examination import Examination, examine
from seg3b_assets.doctor.finding import Finding, Severity

__all__ = ["Examination", "Finding", "Severity", "examine"]
