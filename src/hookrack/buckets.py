"""A bucket of tokens: so many at once, so many a second in the long run; clocks are handed in."""

import math


class Bucket:
    """Tokens that flow in at `rate` a second, up to `burst`; full at first."""

    __slots__ = ("_at", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float, *, now: float) -> None:
        self.rate, self.burst = rate, burst
        self._level, self._at = burst, now

    def take(self, now: float, count: float = 1.0) -> float:
        """Take tokens and answer 0, or take none and tell in how many seconds there are enough."""
        level = self._fill(now)
        if level >= count:
            self._level = level - count
            return 0.0
        return (count - level) / self.rate if self.rate > 0 else math.inf

    def wait(self, now: float) -> float:
        """In how many seconds there is a token; takes none."""
        level = self._fill(now)
        return 0.0 if level >= 1.0 else (1.0 - level) / self.rate if self.rate > 0 else math.inf

    def full(self, now: float) -> bool:
        """Whether nothing is missing: it can be forgotten then."""
        return self._fill(now) >= self.burst

    def change(self, rate: float, burst: float, *, now: float) -> None:
        """Let another rate hold from now on; what is in it beyond the burst is lost."""
        self._fill(now)
        self.rate, self.burst = rate, burst
        self._level = min(self._level, burst)

    def _fill(self, now: float) -> float:
        if now > self._at:
            self._level = min(self.burst, self._level + (now - self._at) * self.rate)
            self._at = now
        return self._level
