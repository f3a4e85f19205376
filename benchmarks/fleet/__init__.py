"""A fleet of runners, and every way that it can share what uv downloads and builds.

    inputs -> index -+
    places: local, guest -+-> course (ways x scenarios) -> samples -> tables, plots, model

One `Sample` per job.  Ways and scenarios know nothing of where they run, and what draws
tables knows nothing of how it was measured.
"""
