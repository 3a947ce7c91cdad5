"""Tests of seg3b_assets.states.s1_classification."""
