"""One person through time: aligning two performances, finding and counting moves, recognising actions."""
