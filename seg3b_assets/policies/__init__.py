"""The decisions people tune: eleven YAML files, their models, and the loader that refuses a bad one.

Follows laws 1 to 6 for what each number means. Models declare and check; states compute.
"""

from seg3b_assets.policies.certification import Certification
from seg3b_assets.policies.classification import ChannelRule, McChannelRules, MerchantMatch
from seg3b_assets.policies.country_weights import CdnCountryWeights
from seg3b_assets.policies.edge_topology import EdgeTopology
from seg3b_assets.policies.loader import (
    POLICY_MODELS,
    SEALED_POLICIES,
    PolicyFile,
    PolicySet,
    overlaid,
)
from seg3b_assets.policies.merchant_overrides import merchant_overrides
from seg3b_assets.policies.overlay import Overlaid
from seg3b_assets.policies.policy_model import SIZE_BUCKETS, VIRTUAL_CLASSES, Policy, SizeBucket, VirtualClass
from seg3b_assets.policies.routing import AliasLayout, RouteRng, VirtualRoutingFields
from seg3b_assets.policies.settlement import SeatRule, Settlement
from seg3b_assets.policies.validation import VirtualValidation
from seg3b_assets.policies.zones import TzNudge, TzOverrides

__all__ = [
    "POLICY_MODELS",
    "SEALED_POLICIES",
    "SIZE_BUCKETS",
    "VIRTUAL_CLASSES",
    "AliasLayout",
    "CdnCountryWeights",
    "Certification",
    "ChannelRule",
    "EdgeTopology",
    "McChannelRules",
    "MerchantMatch",
    "Overlaid",
    "Policy",
    "PolicyFile",
    "PolicySet",
    "RouteRng",
    "SeatRule",
    "Settlement",
    "SizeBucket",
    "TzNudge",
    "TzOverrides",
    "VirtualClass",
    "VirtualRoutingFields",
    "VirtualValidation",
    "merchant_overrides",
    "overlaid",
]
