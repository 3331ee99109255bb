"""The loss of a training: heads with margins, triplets and further terms, put together by name."""
