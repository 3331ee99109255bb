"""How much information about its person a face holds, and what a face without enough may not do."""
