"""The pack: one archive tree as one immutable, deterministic, compressed file."""
