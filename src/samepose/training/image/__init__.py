"""Pose embeddings from pixels: whose pictures to learn from, which are alike, the recipe, export."""
