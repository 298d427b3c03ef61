"""What a pose is turned into so that poses compare: the `Embedder` protocol, and Pr-VIPE."""
