"""Certification of a set of seeds: run them, score them, judge them together, and keep the evidence.

What a score and a verdict are is ``realism``; how a seed is run is ``pipeline``. Here the two meet, over
several seeds and processes, and the documents of ``docs/realism.md`` get a place in the home. No dagster.
"""

from seg3b_assets.certification.evidence import GATE_MATRIX
from seg3b_assets.certification.kept import FOLDER as CERTIFICATIONS
from seg3b_assets.certification.lineages import SeedLineage
from seg3b_assets.certification.run import CODE_VERSION, CertificationRun, SeedsFailedError, certify

__all__ = [
    "CERTIFICATIONS",
    "CODE_VERSION",
    "GATE_MATRIX",
    "CertificationRun",
    "SeedLineage",
    "SeedsFailedError",
    "certify",
]
