"""Files that we put where others look, and recognise: unchanged, edited, or not ours."""
