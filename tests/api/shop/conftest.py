import pytest

from cards.models import Card
from loyalty.models import Program
from tests.api.management.conftest import make_program
from tests.api.shop.till import ShopTill
from tests.factories import CardFactory, CustomerFactory


@pytest.fixture
def shop_program() -> Program:
    """A programme as the command makes it: with tiers and rules, and points that expire after 12 months."""
    return make_program()


@pytest.fixture
def alice(shop_program: Program) -> Card:
    """Alice's card."""
    return CardFactory(customer=CustomerFactory(program=shop_program))


@pytest.fixture
def till(shop_program: Program, alice: Card) -> ShopTill:
    """A till of the programme, with Alice's card in its hand."""
    return ShopTill(shop_program, alice)


@pytest.fixture
def kasa(shop_program: Program, alice: Card) -> ShopTill:
    """The same, in Lithuanian."""
    return ShopTill(shop_program, alice, locale="lt")


@pytest.fixture
def stranger() -> ShopTill:
    """A till of another programme, with Mallory's card in its hand."""
    other = make_program()
    return ShopTill(other, CardFactory(customer=CustomerFactory(program=other, name="Mallory")))
