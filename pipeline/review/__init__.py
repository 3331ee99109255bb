"""Review by people: which questions they are asked, the pages that ask them, and how their answers become verdicts."""
