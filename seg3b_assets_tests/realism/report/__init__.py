"""Tests of seg3b_assets.realism.report."""
