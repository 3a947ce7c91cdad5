"""The layer above B+: what an expert in payments would look at, measured on one seed's published outputs.

The hard and stretch gates ask whether merchants differ; these ask how: whether edges carry traffic, whether home is a
merchant's first market, whether size and distance pull as they are known to, who is virtual and where it is seated.
``world`` derives the arrays, each of the other modules measures one side of them, ``registry`` lists the measures.
"""
