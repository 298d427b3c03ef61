"""People rendered from motion capture, with joints that are exact: images to train and to test detectors with.

The sets are read by `formats.rendered`.
"""

from __future__ import annotations

from samepose.synth.dataset import SynthConfig, write_shards

__all__ = ["SynthConfig", "write_shards"]
