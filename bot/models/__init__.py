"""Whoever writes the plans, the code and the analyses: one prompt in, one reply out."""
