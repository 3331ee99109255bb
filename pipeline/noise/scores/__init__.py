"""Similarity scores of faces: cosines normalised by impostor statistics, fused over embedders; thresholds for a FAR."""
