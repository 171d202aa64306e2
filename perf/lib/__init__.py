"""What the benchmarks share: scratch servers, load programs, rounds, figures and their table."""
