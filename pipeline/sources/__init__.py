"""Readers of published layouts of photos: where each photo's bytes lie, and which identity it claims.

Three folders: formats/ and record_io/ for data sets to refine, test_sets/ for sets to evaluate on. Every reader is a
module with `parts(path)`, `index(part)` and `read(path, photo)`: see kinds.SourceFormat. One idea: a source is indexed
first, and a photo's bytes are read once, later, from where they lie; nothing is copied.
"""
