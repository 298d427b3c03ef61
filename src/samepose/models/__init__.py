"""The trainable models: one paper, one file. Needs `samepose[train]`."""
