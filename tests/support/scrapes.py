"""What Prometheus makes of a text of metrics."""


def read_samples(text: str, *, runner: str) -> dict[str, float]:
    """Return the numbers by name and labels, but for that of the runner, which all have."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    label = f'runner="{runner}"'
    assert all(f"{{{label}" in line for line in lines)
    short = [
        line.replace(f"{{{label}}}", "").replace(f"{{{label},", "{") for line in lines
    ]
    pairs = [line.rsplit(" ", 1) for line in short]
    return {name: float(value) for name, value in pairs}
