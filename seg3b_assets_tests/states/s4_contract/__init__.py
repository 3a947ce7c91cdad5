"""Tests of seg3b_assets.states.s4_contract."""
