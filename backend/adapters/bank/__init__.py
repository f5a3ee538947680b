"""The bank: a folder through which files go both ways, and a simulated bank behind it."""
