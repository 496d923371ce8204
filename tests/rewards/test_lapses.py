"""Codes that nobody used in time: expired by the clock, written once by whoever comes next, with what their reward
said of the points.

In 1991, when no code of another test had an end; only the command's own tests run it.
"""

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from loyalty import errors, pace
from rewards import catalogue, lapses, redeeming, redemptions
from rewards.models import Redemption, Reward
from tests.api.management.conftest import make_program
from tests.points.threads import at_once
from tests.points.till import Till
from tests.rewards.shop import Shop, codes, events, stock
from tests.rewards.test_redeem import refused

THEN = datetime.datetime(1991, 3, 2, 12, tzinfo=datetime.UTC)
MOMENT = datetime.timedelta(microseconds=1)
EXPIRED = Redemption.State.EXPIRED


def after(days: float) -> datetime.datetime:
    return THEN + datetime.timedelta(days=days)


@pytest.fixture(autouse=True)
def _then() -> Iterator[None]:
    with time_machine.travel(after(10), tick=False):
        run()
        yield


def run() -> tuple[int, int]:
    """This will run the command, and answer how many codes lapsed, and for how many points were given back."""
    out = StringIO()
    call_command("settle_due", stdout=out)
    told = re.search(r"Codes that lapsed: ([\d,]+); points given back for ([\d,]+) of them", out.getvalue())
    assert told is not None
    lapsed, returned = (int(count.replace(",", "")) for count in told.groups())
    return lapsed, returned


def offer(shop: Shop, lapse: str, **said: object) -> Reward:
    """A reward of which five are left and whose codes can be used for two days."""
    return shop.reward(**{"stock": 5, "code_valid_days": 2, "lapse": lapse, "per_customer_limit": 1} | said)


def redeemed(shop: Shop, reward: Reward, points: int = 150) -> tuple[Till, Redemption]:
    till = shop.customer(points, at=THEN)
    return till, shop.redeem(till, reward, at=THEN)


def test_is_good_until_its_last_moment(shop: Shop) -> None:
    _, made = redeemed(shop, offer(shop, "return"))
    assert made.expires_at == after(2)
    assert shop.use(made, after(2) - MOMENT).used_at == after(2) - MOMENT


def test_gives_points_back_where_the_reward_says_so(shop: Shop) -> None:
    reward = offer(shop, "return")
    alice, made = redeemed(shop, reward)

    found = shop.find(made, after(3))

    [_, _, returned] = alice.entries()
    assert (found.state(after(3)), found.lapsed_at) == (EXPIRED, after(3))
    assert (returned.type, returned.points, returned.reference) == ("reverse", 100, made.code)
    assert (returned.reason, returned.effective_at) == ("Code not used in time", after(2))
    assert events(made) == [("lapsed", "lapse", returned.id)]
    assert (alice.balance, stock(reward)) == (150, 5)
    shop.find(made, after(4))
    assert (alice.balance, stock(reward), len(events(made))) == (150, 5, 1)
    shop.redeem(alice, reward, at=after(4))


def test_leaves_points_forfeited_otherwise(shop: Shop) -> None:
    reward = offer(shop, "forfeit")
    alice, made = redeemed(shop, reward, points=250)
    before = alice.everything()

    assert shop.find(made, after(3)).state(after(3)) == EXPIRED

    assert events(made) == [("lapsed", "lapse", None)]
    assert (alice.everything(), stock(reward)) == (before, 4)
    refused(redeeming.RewardLimitReached, lambda: shop.redeem(alice, reward, at=after(3)))


@pytest.mark.parametrize("verb", ["use", "cancel"])
@pytest.mark.parametrize("lapse", ["return", "forfeit"])
def test_is_written_by_who_comes_too_late(shop: Shop, verb: str, lapse: str) -> None:
    alice, made = redeemed(shop, offer(shop, lapse))
    deed = getattr(shop, verb)
    for _ in range(2):
        refused(redemptions.RedemptionExpired, lambda: deed(made, after(2)))
        assert alice.balance == (150 if lapse == "return" else 50)
    assert [kind for kind, _, _ in events(made)] == ["lapsed"]


def test_is_written_before_the_customer_redeems_again(shop: Shop) -> None:
    reward = offer(shop, "return", per_customer_limit=None)
    alice, made = redeemed(shop, reward, points=100)
    again = shop.redeem(alice, reward, at=after(2))
    assert shop.find(made, after(2)).lapsed_at == after(2)
    assert alice.history() == [("award", 100), ("redeem", -100), ("reverse", 100), ("redeem", -100)]
    assert (again.state(after(3)), stock(reward)) == (Redemption.State.ACTIVE, 4)


def test_follows_what_the_reward_said_when_it_was_redeemed(shop: Shop) -> None:
    reward = offer(shop, "return")
    alice, made = redeemed(shop, reward)
    catalogue.change(program=shop.program, reward_id=reward.pk, lapse="forfeit", stock=None)
    shop.find(made, after(2))
    assert (alice.balance, stock(reward)) == (150, None)


def test_gives_back_at_its_end_and_not_when_it_is_written(shop: Shop) -> None:
    alice = shop.customer(100, at=THEN, expires_at=after(4))
    made = shop.redeem(alice, offer(shop, "return"), at=THEN)
    shop.find(made, after(6))
    alice.settle(after(6))
    # Between its second and its fourth day the lot had its points again.
    assert [(entry.type, entry.effective_at) for entry in alice.entries()[2:]] == [
        ("reverse", after(2)),
        ("expire", after(4)),
    ]
    assert alice.balance == 0


def test_expires_points_at_once_whose_lot_ended_before_the_code(shop: Shop) -> None:
    alice = shop.customer(100, at=THEN, expires_at=after(1))
    made = shop.redeem(alice, offer(shop, "return"), at=THEN)
    shop.find(made, after(6))
    assert alice.history() == [("award", 100), ("redeem", -100), ("reverse", 100), ("expire", -100)]
    assert alice.entries()[-1].reason == "Expired: the points given back had ended"


def test_is_written_by_the_command_in_every_programme(shop: Shop) -> None:
    other = Shop(make_program(timezone="Pacific/Auckland"))
    back, gone, far = offer(shop, "return"), offer(shop, "forfeit"), offer(other, "return")
    alice, bob, eve = redeemed(shop, back)[0], redeemed(shop, gone)[0], redeemed(other, far)[0]
    used_till, used = redeemed(shop, back)
    cancelled_till, cancelled = redeemed(shop, gone)
    shop.use(used, after(1))
    shop.cancel(cancelled, after(1))
    redeemed(shop, offer(shop, "return", code_valid_days=30))

    assert run() == (3, 2)

    assert [till.balance for till in (alice, bob, eve)] == [150, 50, 150]
    assert [till.balance for till in (used_till, cancelled_till)] == [50, 150]
    assert [stock(reward) for reward in (back, gone, far)] == [4, 4, 5]
    assert {one.lapsed_at for till in (alice, bob, eve) for one in codes(till)} == {after(10)}
    assert run() == (0, 0)


def test_is_written_in_batches_that_go_on_where_one_was_cut_off(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    reward = offer(shop, "return", stock=50)
    tills = [redeemed(shop, reward)[0] for _ in range(7)]
    write, done = lapses.write, []

    def away_from_the_third(due, *, at):
        done.append(due)
        if len(done) > 2:
            raise errors.Unavailable
        return write(due, at=at)

    monkeypatch.setattr(pace, "MOST", 2)
    # Two at once, also where the machine is so busy that one would do.
    monkeypatch.setattr(pace.Pace, "note", lambda _, **__: None)
    with monkeypatch.context() as cut:
        cut.setattr(lapses, "write", away_from_the_third)
        with pytest.raises(CommandError, match="Run it again"):
            run()
    assert sorted(till.balance for till in tills) == [50] * 3 + [150] * 4
    assert run() == (3, 3)
    assert ({till.balance for till in tills}, stock(reward)) == ({150}, 50)


def test_passes_by_a_code_for_whose_points_there_is_no_room(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    reward = offer(shop, "return")
    rich, stuck = redeemed(shop, reward, points=999_999_999_999_999)
    alice, _ = redeemed(shop, reward)
    monkeypatch.setattr(pace, "MOST", 1)
    assert run() == (1, 1)
    assert (alice.balance, rich.balance, stock(reward)) == (150, 999_999_999_999_899, 4)
    assert (shop.find(stuck, after(10)).state(after(10)), events(stuck)) == (EXPIRED, [])


def test_is_written_once_where_many_come_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    reward = offer(shop, "return", stock=40)
    made = [redeemed(shop, reward) for _ in range(20)]
    monkeypatch.setattr(pace, "MOST", 8)

    def look() -> tuple[int, int]:
        for _, one in made[::-1]:
            shop.find(one, after(10))
        return (0, 0)

    with time_machine.travel(after(10), tick=False):
        at_once(run, run, look, look)

    assert {tuple(till.history()) for till, _ in made} == {(("award", 150), ("redeem", -100), ("reverse", 100))}
    assert {len(events(one)) for _, one in made} == {1}
    assert stock(reward) == 40


def test_has_no_end_where_the_reward_names_none(shop: Shop) -> None:
    alice = shop.customer(300, at=THEN)
    endless = shop.redeem(alice, shop.reward(), at=THEN)
    points = shop.redeem(alice, points=Decimal(5), at=THEN)
    assert (endless.expires_at, points.expires_at) == (None, None)
    assert shop.use(points, after(30_000)).state(after(30_000)) == Redemption.State.USED
