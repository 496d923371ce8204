from loyalty.models import Program
from points import rules
from tests.api.v1.client import Client, done, refused
from tiers.models import Tier


def test_lists_the_tiers_that_hold_the_lowest_first(shop: Client, program: Program) -> None:
    body = done(shop.get("tiers"))
    assert (body["object"], body["has_more"]) == ("list", False)
    assert [(row["code"], row["rank"], row["min_points"], row["multiplier"]) for row in body["data"]] == [
        ("bronze", 1, 0, 1),
        ("silver", 2, 500, 1.25),
        ("gold", 3, 1500, 1.5),
        ("platinum", 4, 5000, 2),
    ]
    silver = Tier.objects.get(program=program, code="silver")
    assert body["data"][1] == {
        "id": f"tier_{silver.pk.hex}",
        "object": "tier",
        "code": "silver",
        "name": "Silver",
        "rank": 2,
        "min_points": 500,
        "multiplier": 1.25,
        "benefits": ["25% more points"],
    }


def test_tells_a_change_once_it_is_published(shop: Client, program: Program) -> None:
    Tier.objects.filter(program=program, code="gold").update(name="Gold star")
    assert done(shop.get("tiers"))["data"][2]["name"] == "Gold"
    rules.publish(program=program, by="staff")
    assert done(shop.get("tiers"))["data"][2]["name"] == "Gold star"


def test_is_an_empty_list_where_there_are_none(shop: Client, program: Program) -> None:
    Tier.objects.filter(program=program).delete()
    rules.publish(program=program, by="staff")
    assert done(shop.get("tiers")) == {"object": "list", "data": [], "has_more": False}


def test_needs_the_scope(program: Program) -> None:
    facts = refused(Client(program, scopes=["points:manage"]).get("tiers"), 403, "forbidden")
    assert facts == {"required_permissions": ["points:read"]}
