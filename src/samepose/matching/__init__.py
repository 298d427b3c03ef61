"""The matching probability: the one notion of likeness of the whole project."""
