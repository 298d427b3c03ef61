"""How Pr-VIPE and its rivals are trained."""
