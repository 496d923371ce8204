"""How much a sweep does in one transaction."""

import pytest

from loyalty import pace


class Machine:
    """Takes so long for each row, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)

    def work(self, rows: int) -> list[tuple[int, float]]:
        """The batches in which it works through so many rows: how many, and how long each took."""
        done = []
        for batch in pace.batches(range(rows)):
            took = len(batch) * self.seconds
            self.now += took
            done.append((len(batch), took))
        return done


def test_takes_no_fewer_than_the_least_however_long_they_take() -> None:
    paced = pace.Pace(first=200, least=100)
    for _ in range(5):
        paced.note(rows=paced.size, seconds=10)
    assert paced.size == 100
    paced.note(rows=100, seconds=pace.AIM_SECONDS / 2)
    assert paced.size == 100 + 100 // 4 + 1


def test_takes_as_many_as_are_done_in_time(monkeypatch):
    sizes = [size for size, _ in Machine(monkeypatch, pace.AIM_SECONDS / 100.5).work(5_000)]
    assert sizes[0] == pace.FIRST
    assert set(sizes[15:-1]) == {100}
    assert sum(sizes) == 5_000


def test_goes_down_to_one_on_a_slow_machine(monkeypatch):
    assert [size for size, _ in Machine(monkeypatch, 10).work(19)] == [pace.FIRST, 1, 1, 1]


def test_goes_no_further_than_its_most_on_a_fast_one(monkeypatch):
    assert max(size for size, _ in Machine(monkeypatch, 0).work(50_000)) == pace.MOST


def test_overshoots_by_little_where_what_comes_is_dearer(monkeypatch):
    machine = Machine(monkeypatch, pace.AIM_SECONDS / 200)
    longest = 0.0
    for number, batch in enumerate(pace.batches(range(20_000))):
        machine.seconds = pace.AIM_SECONDS / (200 if number < 30 else 100)
        machine.now += (took := len(batch) * machine.seconds)
        longest = max(longest, took)
    # Twice as dear: once twice as long.
    assert longest <= 2 * pace.AIM_SECONDS * 1.01
