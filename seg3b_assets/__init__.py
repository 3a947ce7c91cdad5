"""Segment 3B of a synthetic payments world, as Dagster assets.

Virtual merchants, their legal settlement anchors, their networks of edges, the alias tables a router
samples from, and the evidence that all of it is sound. See ``README.md`` for a tour.
"""
