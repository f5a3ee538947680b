"""Recovery (追款): what was paid wrongly comes back, or two people give it up."""
