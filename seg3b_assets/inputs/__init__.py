"""What a state may read: what S0 sealed of upstream, and what earlier states of the same lineage published.

``SealedInputs`` are upstream's bytes, ``Published`` the lineage's datasets; both check what they read against its
contract. Nothing else of upstream, of the home or of another run is within a state's reach.
"""
