"""The Postgres of a run and what is in it: the yardstick's tables, and two databases that differ in their past."""

import contextlib
import datetime
import os
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2

from benchmarks.options import LARGER, LOTS, LOTS_DUE, REWARDS, SHORT_LIST, Options
from loyalty import embedded

SQL = Path(__file__).parent / "sql"
NONE = "loyalty"
LOADED = "loyalty_loaded"
LONG = "loyalty_long"
YARDSTICK = "yardstick"
SWEPT = "loyalty_swept"
SWEPT_LARGE = "loyalty_swept_large"
CAMPAIGN = "loyalty_campaign"
# The programme without rules.
PLAIN = "benchmark"

# The n-th one's id ends in n; load.lua writes card ids the same way.
CUSTOMER_ID = "01990000-0001-7000-8000-"
CARD_ID = "01990000-0000-7000-8000-"

ACCOUNTS_A_STATEMENT = 10_000
DAY = datetime.timedelta(days=1)


class Database:
    """One database of the embedded server, worked on as the owner."""

    def __init__(self, server: embedded.Server, name: str) -> None:
        self.name = name
        self.runtime_url = server.url(embedded.RUNTIME_ROLE, name)
        self.owner_url = server.url(embedded.OWNER_ROLE, name)

    def run(self, statement: str, **parameters: Any) -> list[tuple]:
        """This will run a statement in a transaction of its own and answer its rows."""
        with self._connected() as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def run_file(self, name: str, **parameters: Any) -> None:
        """This will run a file of benchmarks/sql."""
        self.run((SQL / name).read_text(), **parameters)

    def tidy(self) -> None:
        """This will leave nothing for autovacuum to do while something is measured."""
        self._vacuum("VACUUM (FREEZE, ANALYZE)")

    def tidy_lots(self) -> None:
        """This will clear away what lots looked like before they changed."""
        self._vacuum("VACUUM points_pointlot")

    def entries(self) -> int:
        """This will count the ledger's entries."""
        return int(self.run("SELECT sum(version) FROM points_pointaccount")[0][0])

    def _vacuum(self, statement: str) -> None:
        with self._connected() as connection:
            # VACUUM runs in no transaction.
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    def _connected(self) -> contextlib.closing:
        return contextlib.closing(psycopg2.connect(self.owner_url))


class Stage:
    """The databases, and the secret with which both services are called."""

    def __init__(self, server: embedded.Server, options: Options) -> None:
        self.options = options
        self.server = server
        self.none = Database(server, NONE)
        self.loaded = Database(server, LOADED)
        self.long = Database(server, LONG)
        self.yardstick = Database(server, YARDSTICK)
        self.swept = Database(server, SWEPT)
        self.swept_large = Database(server, SWEPT_LARGE)
        self.campaign = Database(server, CAMPAIGN)
        # Of the programme without rules, and of the one with tiers and rules.
        self.secret = ""
        self.secret_of_rules = ""
        self.rewards: list[str] = []
        self.started_at = datetime.datetime.now(datetime.UTC)

    def build(self) -> None:
        """This will make the databases: people and their first points in both, the past in one."""
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0)
        plain, ruled = _make_programs()
        self.secret, self.secret_of_rules = plain.secret, ruled.secret
        self.rewards = _make_rewards(plain.id)
        connections.close_all()
        self._copy(NONE, YARDSTICK)
        self.yardstick.run_file("yardstick.sql", accounts=self.options.accounts)
        if self.options.only != "campaign":
            self._build_swept(plain)
        if self.options.only != "sweep":
            self._build_campaign(plain)
        if self.options.only:
            return
        self._make_people(self.none, plain, 1, self.cards_of_lots[1])
        self._make_people(self.none, ruled, *self.cards_of_rules)
        self._make_people(self.none, plain, *self.cards_of_lists)
        self.none.run("ANALYZE")
        self._post(self.none, self.cards, 1, 1_000_000)
        self._post(self.none, self.cards_of_lots, LOTS, 1)
        self._post(self.none, self.cards_of_rules, 1, 100)
        self._copy(NONE, LOADED)
        self._copy(NONE, LONG)
        for number, entries in zip(
            self.cards_of_lists, (SHORT_LIST, max(self.options.entries, SHORT_LIST)), strict=True
        ):
            # A third of what is there is redemptions, which the first award pays.
            self._post(self.long, (number, number), 1, 1_000_000)
            self._post(self.long, (number, number), entries - 1, 10, redeemed=1)
        if self.options.entries:
            self._post(self.loaded, self.cards, self.options.entries // self.options.accounts, 10, redeemed=5)
        for database in (self.none, self.loaded, self.long):
            database.run_file("tallies.sql")
        for database in (self.none, self.loaded, self.long, self.yardstick):
            database.tidy()

    def _build_swept(self, program: "Programme") -> None:
        """This will make two databases in each of which as many accounts have lots that ended; in the larger one nine
        times as many have as many lots that did not."""
        due = self.options.accounts_due
        self._copy(NONE, SWEPT)
        self._make_people(self.swept, program, 1, due)
        self._post(self.swept, (1, due), LOTS_DUE, 10, first_at=self.started_at - 400 * DAY, pause=DAY)
        self._copy(SWEPT, SWEPT_LARGE)
        self._make_people(self.swept_large, program, due + 1, LARGER * due)
        self._post(self.swept_large, (due + 1, LARGER * due), LOTS_DUE, 10)
        for database in (self.swept, self.swept_large):
            database.run_file("tallies.sql")
            database.tidy()

    def _build_campaign(self, program: "Programme") -> None:
        """This will make a database in which every customer has points of one award."""
        self._copy(NONE, CAMPAIGN)
        self._make_people(self.campaign, program, *self.cards)
        self._post(self.campaign, self.cards, 1, 1_000)
        self.campaign.run_file("tallies.sql")
        self.campaign.tidy()

    def accounts_beside(self, database: Database) -> int:
        """This will answer how many accounts with nothing due there are beside those that are swept."""
        return (LARGER - 1) * self.options.accounts_due if database is self.swept_large else 0

    def give_back(self, database: Database) -> None:
        """This will reverse what was redeemed from the accounts of 60 lots, so that each has its 60 lots again."""
        first, last = self.cards_of_lots
        database.run_file("give_back.sql", first_card=_card_id(first), last_card=_card_id(last))
        # Lots change here again and again, as no shop's do; autovacuum would come later to the larger table.
        database.tidy_lots()

    def log_lock_waits(self, database: Database, *, milliseconds: int) -> None:
        """This will have each wait for a lock that takes as long told in the server's log, from the next session on."""
        with contextlib.closing(self.server.connect_as_superuser()) as connection, connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {database.name} SET log_lock_waits = on")
            cursor.execute(f"ALTER DATABASE {database.name} SET deadlock_timeout = {milliseconds}")

    def subscribe(self, database: Database) -> None:
        """This will let a webhook endpoint of each programme wait for all that happens."""
        database.run(
            "INSERT INTO events_webhookendpoint (id, program_id, url, description, event_types)"
            " SELECT gen_random_uuid(), id, 'https://shop.example/events', '', ARRAY['*'] FROM loyalty_program"
        )

    def unsubscribe(self, database: Database) -> None:
        """This will let nobody wait for what happens."""
        database.run("DELETE FROM events_webhookendpoint")

    @property
    def cards(self) -> tuple[int, int]:
        """The numbers of the first and the last card that the load draws from."""
        return 1, self.options.accounts

    @property
    def cards_of_lots(self) -> tuple[int, int]:
        """The numbers of the first and the last card whose account has its points in 60 lots."""
        return self.options.accounts + 1, self.options.accounts + self.options.accounts_of_lots

    @property
    def cards_of_rules(self) -> tuple[int, int]:
        """The numbers of the first and the last card of the programme with tiers and rules."""
        return self.cards_of_lots[1] + 1, self.cards_of_lots[1] + self.options.accounts

    @property
    def cards_of_lists(self) -> tuple[int, int]:
        """The numbers of the card whose account has a short list of entries, and of the one with a long list."""
        return self.cards_of_rules[1] + 1, self.cards_of_rules[1] + 2

    def account_ids_of_lists(self) -> list[str]:
        """This will answer the ids of the accounts with the short and the long list."""
        return [
            str(
                self.long.run(
                    "SELECT a.id FROM cards_card c JOIN points_pointaccount a ON a.customer_id = c.customer_id"
                    " WHERE c.id = %(card)s",
                    card=_card_id(number),
                )[0][0]
            )
            for number in self.cards_of_lists
        ]

    def _copy(self, template: str, name: str) -> None:
        with contextlib.closing(self.server.connect_as_superuser()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {embedded.OWNER_ROLE}")

    def _make_people(self, database: Database, program: "Programme", first: int, last: int) -> None:
        from points.models import PointAccount

        customers = (uuid.UUID(f"{CUSTOMER_ID}{number:012x}") for number in range(first, last + 1))
        database.run_file(
            "people.sql",
            customer=CUSTOMER_ID,
            card=CARD_ID,
            first=first,
            program=str(program.id),
            definition=str(program.definition_id),
            accounts=[str(PointAccount.id_for(customer, program.definition_id)) for customer in customers],
        )

    def _post(
        self,
        database: Database,
        cards: tuple[int, int],
        entries: int,
        awarded: int,
        *,
        redeemed: int = 0,
        first_at: datetime.datetime | None = None,
        pause: datetime.timedelta | None = None,
    ) -> None:
        """This will post to the accounts of these cards. The first points end in two weeks, the others later, unless
        it is said otherwise: they end a year after `first_at`, and so on with a `pause` between."""
        first_at = first_at or self.started_at - (351 if entries == 1 else 340) * DAY
        for number in range(cards[0], cards[1] + 1, ACCOUNTS_A_STATEMENT):
            database.run_file(
                "post_history.sql",
                first_card=_card_id(number),
                last_card=_card_id(min(number + ACCOUNTS_A_STATEMENT - 1, cards[1])),
                first_at=first_at,
                pause=pause or 330 * DAY / entries,
                entries=entries,
                awarded=awarded,
                redeemed=redeemed,
            )


@contextlib.contextmanager
def running(options: Options, data_dir: Path) -> Iterator[Stage]:
    """This will keep a Postgres of its own up for the block, with the databases of a run in it."""
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DEBUG"):
        os.environ.pop(name, None)
    os.environ["DATA_DIR"] = str(data_dir)
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(50)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    with embedded.Server(data_dir).running() as server:
        import django

        django.setup()
        stage = Stage(server, options)
        stage.build()
        yield stage


class Programme(NamedTuple):
    """A programme that is called, and with what."""

    id: uuid.UUID
    definition_id: uuid.UUID
    secret: str


def _make_programs() -> tuple[Programme, Programme]:
    from loyalty import api_keys
    from loyalty.models import Program
    from points import definitions

    plain = Program.objects.create(slug=PLAIN, transaction_limit=None)
    definitions.create_definition(program=plain, code="points", name="Points", is_default=True)
    ruled = definitions.create_program(slug="benchmark-rules")
    ruled.transaction_limit = None
    ruled.save(update_fields=["transaction_limit"])

    def named(program: Program) -> Programme:
        _, secret = api_keys.generate(program=program, name="benchmark")
        return Programme(program.id, definitions.find(program, None).id, secret)

    return named(plain), named(ruled)


def _make_rewards(program_id: uuid.UUID) -> list[str]:
    """This will make rewards that cost a point, with more in stock than a run redeems, and answer their ids."""
    from loyalty import ids
    from loyalty.models import Program
    from rewards import catalogue

    program = Program.objects.get(pk=program_id)
    made = [
        catalogue.create(program=program, name=f"Reward {number}", points_cost=1, stock=1_000_000)
        for number in range(1, REWARDS + 1)
    ]
    return [ids.public("rwd", reward.pk) for reward in made]


def _card_id(number: int) -> str:
    return f"{CARD_ID}{number:012x}"
