"""Readers and writers of other people's files: motion capture, 2D keypoints, data sets, and our own pose sets."""
