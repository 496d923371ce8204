"""The whole API map on one screen."""

from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.generic import RedirectView
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from cards.api import management as cards
from cards.api import shop as cards_shop
from cards.api import shop_tokens
from cards.api import v1 as cards_v1
from events.api import v1 as events_v1
from events.api import v1_webhooks as webhooks
from loyalty import languages
from loyalty.api import management
from loyalty.api import shop as shop_service
from notices.api import unsubscribe
from points.admin.till import pages as till
from points.api import management as points
from points.api import management_bulk as bulk
from points.api import management_transactions as transactions
from points.api import shop as points_shop
from points.api import shop_earning, shop_orders, v1_explain, v1_holds, v3, v3_bulk
from points.api import v1 as points_v1
from reports.admin import dashboard
from reports.api import management as reports
from rewards.api import v1 as rewards_v1
from rewards.api import v3 as vouchers
from staff import signing_in

register_converter(languages.LocaleConverter, "locale")

# Below /en/shop/ and /lt/shop/.
shop = [
    path("points/award", shop_earning.EarningViewSet.as_view({"post": "award"})),
    path("points", points_shop.ShopPointsViewSet.as_view({"get": "history", "post": "redeem"})),
    path("points/card/<str:card_id>/balance", points_shop.ShopPointsViewSet.as_view({"get": "balance"})),
    path("loyalty-cards", cards_shop.ShopCardsViewSet.as_view({"get": "list"})),
    path("loyalty-cards/info", cards_shop.ShopCardsViewSet.as_view({"get": "info"})),
    path("loyalty-cards/balance", cards_shop.ShopCardsViewSet.as_view({"get": "balance"})),
    path("loyalty-cards/<str:card_id>", cards_shop.ShopCardsViewSet.as_view({"get": "retrieve"})),
    path("transactions", points_shop.ShopPointsViewSet.as_view({"get": "transactions"})),
    path("auth/token", shop_tokens.MemberTokensViewSet.as_view({"post": "create"})),
    path("points/preview", shop_earning.EarningViewSet.as_view({"post": "preview"})),
    path("transactions/create", shop_orders.OrdersViewSet.as_view({"post": "create"})),
    path("validate-credentials", shop_service.ShopCredentialsViewSet.as_view({"post": "validate"})),
    path("system/health", shop_service.ShopSystemViewSet.as_view({"get": "health"})),
]

# Below /api/v3/.
accounts = [
    path("point-accounts", v3.PointAccountsViewSet.as_view({"get": "list", "post": "create"})),
    path("point-accounts/definitions", v3.PointDefinitionsViewSet.as_view({"get": "list"})),
    path("point-accounts/definitions/<str:definition_id>", v3.PointDefinitionsViewSet.as_view({"get": "retrieve"})),
    path("point-accounts/transactions", v3_bulk.PointRowsViewSet.as_view({"get": "list", "post": "create"})),
    path("point-accounts/<str:account_id>", v3.PointAccountsViewSet.as_view({"get": "retrieve"})),
    path("point-transactions", v3.PointTransactionsViewSet.as_view({"get": "list", "post": "create"})),
    path("reward-vouchers", vouchers.RewardVouchersViewSet.as_view({"get": "list", "post": "create"})),
    path("reward-vouchers/available", vouchers.RewardVouchersViewSet.as_view({"get": "available"})),
    path("reward-vouchers/redeemed", vouchers.RewardVouchersViewSet.as_view({"get": "redeemed"})),
    path("reward-vouchers/<str:voucher_id>/redeem", vouchers.RewardVouchersViewSet.as_view({"post": "redeem"})),
    path("reward-vouchers/<str:voucher_id>/reactivate", vouchers.RewardVouchersViewSet.as_view({"post": "reactivate"})),
    path("point-transactions/<str:transaction_id>", v3.PointTransactionsViewSet.as_view({"get": "retrieve"})),
]

# Below /v1/.
customers_face = [
    path("points/award", points_v1.CustomerPointsViewSet.as_view({"post": "award"})),
    path("points/adjust", points_v1.CustomerPointsViewSet.as_view({"post": "adjust"})),
    path("points", points_v1.CustomerPointsViewSet.as_view({"get": "list"})),
    path("customers", cards_v1.CustomersViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "customers/<str:customer_id>",
        cards_v1.CustomersViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "erase"}),
    ),
    path("customers/<str:customer_id>/merge", cards_v1.CustomersViewSet.as_view({"post": "merge"})),
    path("customers/<str:customer_id>/explain", v1_explain.ExplanationsViewSet.as_view({"get": "retrieve"})),
    path("holds", v1_holds.HoldsViewSet.as_view({"post": "create"})),
    path("holds/<str:hold_id>", v1_holds.HoldsViewSet.as_view({"get": "retrieve"})),
    path("holds/<str:hold_id>/capture", v1_holds.HoldsViewSet.as_view({"post": "capture"})),
    path("holds/<str:hold_id>/release", v1_holds.HoldsViewSet.as_view({"post": "release"})),
    path("transfers", v1_holds.TransfersViewSet.as_view({"post": "create"})),
    path("points/redeem", rewards_v1.RedemptionsViewSet.as_view({"post": "redeem"})),
    path("redemptions/<str:redemption_id>", rewards_v1.RedemptionsViewSet.as_view({"get": "retrieve"})),
    path("redemptions/<str:redemption_id>/use", rewards_v1.RedemptionsViewSet.as_view({"post": "use"})),
    path("redemptions/<str:redemption_id>/cancel", rewards_v1.RedemptionsViewSet.as_view({"post": "cancel"})),
    path("rewards", rewards_v1.RewardsViewSet.as_view({"get": "list", "post": "create"})),
    path("rewards/<str:reward_id>", rewards_v1.RewardsViewSet.as_view({"get": "retrieve", "patch": "update"})),
    path("events", events_v1.EventsViewSet.as_view({"get": "list"})),
    path("events/<str:event_id>", events_v1.EventsViewSet.as_view({"get": "retrieve"})),
    path("webhook-endpoints", webhooks.WebhookEndpointsViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "webhook-endpoints/<str:endpoint_id>",
        webhooks.WebhookEndpointsViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "remove"}),
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/rotate-secret",
        webhooks.WebhookEndpointsViewSet.as_view({"post": "rotate"}),
    ),
    path("webhook-endpoints/<str:endpoint_id>/test", webhooks.WebhookEndpointsViewSet.as_view({"post": "test"})),
    path(
        "webhook-endpoints/<str:endpoint_id>/deliveries",
        webhooks.WebhookEndpointsViewSet.as_view({"get": "deliveries"}),
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/deliveries/<str:delivery_id>",
        webhooks.WebhookEndpointsViewSet.as_view({"get": "delivery"}),
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/deliveries/<str:delivery_id>/redeliver",
        webhooks.WebhookEndpointsViewSet.as_view({"post": "redeliver"}),
    ),
    path("tiers", points_v1.TiersViewSet.as_view({"get": "list"})),
]

# Below /api/reports/.
figures = [
    path("roll-forward", reports.ReportsViewSet.as_view({"get": "roll_forward"})),
    path("liability", reports.ReportsViewSet.as_view({"get": "liability"})),
    path("velocity", reports.ReportsViewSet.as_view({"get": "velocity"})),
    path("health", reports.ReportsViewSet.as_view({"get": "health"})),
    path("behaviour", reports.ReportsViewSet.as_view({"get": "behaviour"})),
    path("money", reports.ReportsViewSet.as_view({"get": "money"})),
    path("cohorts", reports.ReportsViewSet.as_view({"get": "cohorts"})),
]

# The first match wins, so what is called most stands first.
urlpatterns = [
    path("api/points/award", points.PointsViewSet.as_view({"post": "award"})),
    path("api/points/redeem", points.PointsViewSet.as_view({"post": "redeem"})),
    path("api/points/balance/<str:card_id>", points.PointsViewSet.as_view({"get": "balance"})),
    path("api/points/history/<str:card_id>", points.PointsViewSet.as_view({"get": "history"})),
    path("<locale:locale>/shop/", include(shop)),
    path("api/points/adjust", points.PointsViewSet.as_view({"post": "adjust"})),
    path("api/points/reverse", points.PointsViewSet.as_view({"post": "reverse"})),
    path("api/points/expire", points.PointsViewSet.as_view({"post": "expire"})),
    path("api/points/bulk", bulk.BulkViewSet.as_view({"post": "create"})),
    path("api/points/expiring", points.PointsViewSet.as_view({"get": "expiring"})),
    path("api/points/transactions", transactions.TransactionsViewSet.as_view({"get": "list"})),
    path("api/points/transactions/<str:transaction_id>", transactions.TransactionsViewSet.as_view({"get": "retrieve"})),
    path("api/loyalty-cards", cards.CardsViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "api/loyalty-cards/<str:card_id>",
        cards.CardsViewSet.as_view({"get": "retrieve", "put": "update", "patch": "update"}),
    ),
    path("api/loyalty-cards/<str:card_id>/block", cards.CardsViewSet.as_view({"post": "block"})),
    path("api/loyalty-cards/<str:card_id>/unblock", cards.CardsViewSet.as_view({"post": "unblock"})),
    path("api/loyalty-cards/<str:card_id>/activate", cards.CardsViewSet.as_view({"post": "activate"})),
    path("api/loyalty-cards/<str:card_id>/replace", cards.CardsViewSet.as_view({"post": "replace"})),
    path("api/loyalty-cards/<str:card_id>/history", cards.CardsViewSet.as_view({"get": "history"})),
    path("api/loyalty-cards/<str:card_id>/qr.svg", cards.CardsViewSet.as_view({"get": "qr_code"})),
    path("api/reports/", include(figures)),
    path("v1/", include(customers_face)),
    path("api/v3/", include(accounts)),
    path("api/health", management.HealthViewSet.as_view({"get": "retrieve"})),
    path("api/schema", SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer]), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/redoc", SpectacularRedocView.as_view(url_name="schema"), name="redoc"),
    path("notices/<str:token>", unsubscribe.page, name="unsubscribe"),
    path("admin/dashboard/", admin.site.admin_view(dashboard.page), name="dashboard"),
    path("admin/till/", till.open_till, name="till"),
    path("admin/till/<slug:slug>/", till.find, name="till_find"),
    path("admin/till/<slug:slug>/customers/<uuid:customer_id>/", till.customer, name="till_customer"),
    path("admin/till/<slug:slug>/codes/<str:code>/", till.code, name="till_code"),
    path("admin/password_change/", admin.site.admin_view(signing_in.change_password)),
    path("admin/", admin.site.urls),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    # Who opens the address that the service prints wants to see something.
    path("", RedirectView.as_view(pattern_name="docs")),
]

handler400 = "loyalty.api.errors.bad_request"
handler403 = "loyalty.api.errors.forbidden"
handler404 = "loyalty.api.errors.not_found"
handler500 = "loyalty.api.errors.internal_error"
