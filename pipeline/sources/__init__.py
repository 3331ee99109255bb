"""Readers of published data sets: where each photo's bytes lie, and which identity the data set claims for it.

Three folders: formats/ and record_io/ for data sets to refine, test_sets/ for sets to evaluate on. Every reader is a
module with `parts(path)`, `index(part)` and `read(path, photo)`: see kinds.SourceFormat. One idea: a source is indexed
first, without reading pixels. A photo's bytes are read once, later, from the original file; photos are never copied.
"""
