"""Losses on torch tensors. Needs `samepose[train]`."""
