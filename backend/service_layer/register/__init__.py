"""Recording what the insurance register learns of a person, and what follows for claims."""
