"""S3, alias tables and the universe hash: what a router samples edges from."""

from seg3b_assets.states.s3_alias.state import STATE, run

__all__ = ["STATE", "run"]
