"""The whole chain S0 to S5 on real, coarse worlds: determinism, reuse, bad input, crashes, readers."""
