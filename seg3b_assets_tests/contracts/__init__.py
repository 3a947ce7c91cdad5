"""Tests of seg3b_assets.contracts, one module per module."""
