"""The API as one object."""

from types import TracebackType
from typing import Self

import httpx

from loyalty_client import customers, rewards
from loyalty_client.connection import Connection


class Loyalty:
    """Calls the service; where a customer is named, the id and your own `external_id` do alike.

    One object serves all threads. Seconds: `timeout` is how long one try may wait for the network, `max_retry_wait` the
    longest Retry-After that is waited for. `http` is for proxies and certificates of your own: you close it.
    """

    def __init__(
        self,
        *,
        base_url: str,
        secret: str,
        timeout: float = 30,
        max_retries: int = 3,
        max_retry_wait: float = 60,
        http: httpx.Client | None = None,
    ) -> None:
        self._http = http or httpx.Client()
        self._is_own = http is None
        connection = Connection(
            base_url=base_url,
            secret=secret,
            timeout=timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            http=self._http,
        )
        self.points = customers.Points(connection)
        self.customers = customers.Customers(connection)
        self.rewards = rewards.Rewards(connection)
        self.redemptions = rewards.Redemptions(connection)
        self.tiers = customers.Tiers(connection)
        self.holds = customers.Holds(connection)
        self.transfers = customers.Transfers(connection)

    def close(self) -> None:
        """This will close the connections to the service."""
        if self._is_own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
