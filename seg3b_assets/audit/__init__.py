"""The audit: what a run published, derived again from laws, inputs and policies and compared byte by byte.

Shared by S5, which seals a bundle only over a clean report, and by whoever verifies a tree elsewhere. Imports
``laws``, ``contracts`` and ``policies``, never a state: what it finds out, it finds out by itself.
"""

from seg3b_assets.audit.examination import audit
from seg3b_assets.audit.findings import AuditReport, CheckResult, DigestComparison, LogFacts
from seg3b_assets.audit.tree import AuditTree
from seg3b_assets.laws.audit_version import AUDIT_VERSION

__all__ = [
    "AUDIT_VERSION",
    "AuditReport",
    "AuditTree",
    "CheckResult",
    "DigestComparison",
    "LogFacts",
    "audit",
]
