"""The losses of a training: softmax heads with margins, triplet losses and further terms, combined by name."""
