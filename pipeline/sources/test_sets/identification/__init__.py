"""Lists of test sets of identification: probes, and a gallery of their mates and of distractors."""
