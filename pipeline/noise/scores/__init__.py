"""How similar two faces are: cosines normalised by impostors, fused over embedders, and thresholds for a FAR."""
