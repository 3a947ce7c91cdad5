"""Every word and picture for people: the certification report in its forms, what a terminal and Dagster show of it.

A report is a pure function of kept documents, run records and policies (``ReportMaterial``): the same material gives
the same bytes. What draws (``sections``) is imported by whoever writes a report, and by nobody else: plotting is slow
to import.
"""
