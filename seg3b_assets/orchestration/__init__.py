"""The segment as Dagster assets; the only package that imports dagster.

One asset per dataset, partitioned by seed; one op per state that publishes the state's datasets together;
policies and upstream artefacts as observed sources. What a state computes, when a snapshot is reused and what
is in force is the pipeline's and the store's business: see ``docs/decisions/0001-dagster-over-the-store.md``.
"""

import warnings

import dagster as dg

# Observed sources of several keys are a beta feature of the pinned Dagster; its users need not hear of it.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
