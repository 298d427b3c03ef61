"""How lifting is trained: motion capture in random cameras, seen by a detector with the faults of a real one."""
