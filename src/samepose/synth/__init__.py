"""People rendered from motion capture, with joints that are exact: images to train and to test detectors with."""

from __future__ import annotations

from samepose.synth.body import SYNTH22
from samepose.synth.dataset import Sample, SynthConfig, read_shard, read_shards, shards_of, write_shards

__all__ = ["SYNTH22", "Sample", "SynthConfig", "read_shard", "read_shards", "shards_of", "write_shards"]
