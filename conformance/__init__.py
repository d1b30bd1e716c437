"""The mapping engine against Velocity 1.7 itself: recorded cases, and generated ones."""
