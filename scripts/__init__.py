"""Command-line scripts: compiling, vectors, sample data, the hospital's agent, benchmarks."""
