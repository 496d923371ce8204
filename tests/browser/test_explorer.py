"""The pages in which developers read of the interface, and try it."""

import pytest
from playwright.sync_api import Browser

from tests.browser.desk import Desk


@pytest.mark.parametrize("page", ["/api/docs", "/api/redoc"])
def test_is_whole_without_another_host(browser: Browser, address: str, page: str) -> None:
    with Desk.opened(browser, address) as desk:
        desk.go(page)
        desk.page.get_by_text("/api/points/award").first.wait_for()
        desk.page.wait_for_load_state("networkidle")
        broken = "[...document.images].filter((image) => image.checkVisibility() && !image.naturalWidth).length"
        assert desk.page.evaluate(broken) == 0
