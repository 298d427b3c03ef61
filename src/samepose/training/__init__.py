"""Training: one loop, one recipe per model. Needs `samepose[train]`."""
