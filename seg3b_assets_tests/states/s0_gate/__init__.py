"""Tests of seg3b_assets.states.s0_gate."""
