"""What lies between a runner and its share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network, as far as it decides how long NFS takes.

    Attributes:
        rtt_ms: Round trip time, in milliseconds.
        mbit: Bandwidth in each direction, in 10^6 bits a second.
    """

    rtt_ms: float
    mbit: float

    def __str__(self) -> str:
        """Such as `RTT 0.7 ms, 1 Gbit/s`."""
        whole = self.mbit >= 1000
        rate = f"{self.mbit / 1000:g} Gbit/s" if whole else f"{self.mbit:g} Mbit/s"
        return f"RTT {self.rtt_ms:g} ms, {rate}"

    @property
    def s_per_byte(self) -> float:
        """How long one byte takes at this bandwidth, in seconds."""
        return 8 / (self.mbit * 1e6)
