"""Tests of seg3b_assets.inputs."""
