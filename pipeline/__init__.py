"""Raw photos in, a clean labelled data set out."""
