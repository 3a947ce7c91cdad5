"""The certification report: one HTML file for people, the same as JSON for machines and Markdown for notes.

A pure function of kept documents, run records and policies (``ReportMaterial``): the same material gives the
same bytes. Where the material comes from and where the files go is ``certification``'s business. What draws
(``sections``) is imported by whoever writes a report, and by nobody else: plotting is slow to import.
"""

from seg3b_assets.realism.report.material import (
    PolicyChange,
    ReportMaterial,
    SeedCost,
    StateCost,
    Yardstick,
    metric_values,
)

__all__ = ["PolicyChange", "ReportMaterial", "SeedCost", "StateCost", "Yardstick", "metric_values"]
