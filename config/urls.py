"""The whole API map on one screen."""

from django.contrib import admin
from django.urls import path
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from loyalty.api import management

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/schema", SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer]), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/redoc", SpectacularRedocView.as_view(url_name="schema"), name="redoc"),
    path("api/health", management.HealthViewSet.as_view({"get": "retrieve"})),
]

handler400 = "loyalty.api.errors.bad_request"
handler403 = "loyalty.api.errors.forbidden"
handler404 = "loyalty.api.errors.not_found"
handler500 = "loyalty.api.errors.internal_error"
