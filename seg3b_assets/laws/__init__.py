"""What several states obey: identity, hashing, randomness, apportionment, geography, alias tables, errors.

Nothing here reads a policy, a file layout or a state's output; every function is pure.
"""
