"""StructNet (Li 2015): people with their 3D poses, features computed once, Algorithm 1 and ours, export."""
