"""Published test sets: where their photos lie, and the pairs, templates or videos that they list."""
