"""The audit's published run, for S5 to seal."""

from seg3b_assets_tests.audit.conftest import context, published, settings

__all__ = ["context", "published", "settings"]
