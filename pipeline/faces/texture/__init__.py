"""The texture of faces: a descriptor that needs no training, by which weak embedders are helped."""
