"""Review: cases, who is asked, what they find, and what is asked of the citizen."""
