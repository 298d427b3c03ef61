"""How the pair network is trained: on the shortlists of an embedding, of motion capture in random cameras."""
