"""What a job needs, as far as its lock says; knows neither uv's cache nor the store."""
