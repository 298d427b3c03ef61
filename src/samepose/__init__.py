"""samepose: is this the same pose?"""
