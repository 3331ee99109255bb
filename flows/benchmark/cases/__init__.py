"""Single cases of noise with a known truth, planted in a data set: figures before and after their cure."""
