"""What managers set up: programmes, API keys; and who may use the admin."""

import ipaddress
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from loyalty import api_keys, console
from loyalty.models import ApiKey, Program, Scope
from points import definitions

admin.site.unregister([User, Group])
admin.site.index_title = "What would you like to do?"

# What a role may allow. The rest of Django's permissions name what nobody does here: nobody edits an entry.
MANAGED = (
    "program",
    "apikey",
    "pointdefinition",
    "customer",
    "card",
    "tier",
    "tierscheme",
    "earningrule",
    "earningscheme",
    "campaign",
    "descriptiontext",
    "voucherrule",
    "reward",
    "noticesettings",
    "noticetemplate",
    "webhookendpoint",
    "segment",
    "awardcampaign",
)
ALLOWED = [
    *(f"{verb}_{model}" for model in MANAGED for verb in ("view", "add", "change")),
    *(
        f"delete_{model}"
        for model in ("tier", "earningrule", "campaign", "descriptiontext", "noticetemplate", "webhookendpoint")
    ),
    "view_pointaccount",
    "view_pointtransaction",
    "view_rulebook",
    "view_rewardvoucher",
    "view_redemption",
    "view_event",
    "view_delivery",
    "view_jobrun",
    "use_redemption",
    "cancel_redemption",
    "add_import",
    "view_import",
    "export_data",
    "view_notice",
    "retry_notice",
    "start_awardcampaign",
    "undo_awardcampaign",
    "erase_customer",
    "adjust_points",
    "use_till",
]

# What something asks for: the rest is for what the service does not do yet.
OFFERED = (
    Scope.LOYALTY_READ,
    Scope.LOYALTY_WRITE,
    Scope.POINTS_READ,
    Scope.POINTS_MANAGE,
    Scope.POINTS_ADJUST,
    Scope.REWARDS_MANAGE,
    Scope.WEBHOOKS_MANAGE,
)


class ProgramForm(forms.ModelForm):
    class Meta:
        model = Program
        fields = (
            "name",
            "slug",
            "currency",
            "timezone",
            "locale",
            "margin_percent",
            "transaction_limit",
            "transfers_enabled",
            "transfer_daily_points",
            "has_point_accounts",
            "keeps_events",
            "is_sandbox",
        )
        error_messages = {"slug": {"unique": "Another programme has this slug."}}


@admin.register(Program)
class ProgramAdmin(console.TableAdmin):
    form = ProgramForm
    list_display = ("name", "slug", "currency", "timezone", "is_sandbox", "created")
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = (*ProgramForm.Meta.fields, "created")
    add_fieldsets = ((None, {"fields": ("name", "slug", "currency", "timezone", "is_sandbox")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Program | None = None) -> tuple[str, ...]:
        # Commands name the programme by its slug; secrets that are out already begin as the sandbox's do, or not.
        return ("created",) if obj is None else ("slug", "is_sandbox", "created")

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made = definitions.create_program(
            slug=obj.slug, name=obj.name, currency=obj.currency, timezone=obj.timezone, is_sandbox=obj.is_sandbox
        )
        obj.pk = made.pk

    @display(description="Since")
    def created(self, program: Program) -> str:
        return console.moment(program.created_at, program)


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the caller may do.",
    )

    class Meta:
        model = ApiKey
        fields = ("program", "name", "scopes", "allowed_ips", "expires_at")
        widgets = {"allowed_ips": widgets.UnfoldAdminTextInputWidget}
        help_texts = {
            "allowed_ips": "Addresses or ranges with commas between them: 192.0.2.7, 198.51.100.0/24. Empty: any.",
            "expires_at": "In UTC. Empty: never.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if isinstance(field := self.fields.get("scopes"), forms.MultipleChoiceField):
            # What a key was given otherwise it keeps, unless it is taken away here.
            known = [scope for scope in Scope if scope in OFFERED or scope.value in self.instance.scopes]
            field.choices = [(scope.value, f"{scope.label} ({scope.value})") for scope in known]

    def clean_allowed_ips(self) -> list[str]:
        """This will refuse what is no address and no range: nobody could call from it."""
        ranges = self.cleaned_data["allowed_ips"] or []
        for text in ranges:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError as error:
                raise forms.ValidationError(f"“{text}” is not an address or a range of addresses.") from error
        return ranges


@admin.register(ApiKey)
class ApiKeyAdmin(console.TableAdmin):
    form = ApiKeyForm
    list_display = ("__str__", "key_id", "program", "state", "expires", "created")
    list_filter = ("program",)
    search_fields = ("name", "key_id", "secret_prefix")
    search_help_text = "Name, key id or the beginning of the secret"
    list_select_related = ("program",)
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("program", "name", "key_id", "begins", "state", "created")}),
        ("What it may do", {"fields": ("scopes", "allowed_ips", "expires_at")}),
    )
    add_fieldsets = (
        (None, {"fields": ("program", "name")}),
        ("What it may do", {"fields": ("scopes", "allowed_ips", "expires_at")}),
    )
    actions_detail = ("revoke",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        shown = ("key_id", "begins", "state", "created")
        return shown if obj is None else ("program", *shown)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        # A revoked key stays as it was.
        is_over = isinstance(obj, ApiKey) and obj.revoked_at is not None
        return not is_over and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, secret = api_keys.generate(
            program=obj.program,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
            allowed_ips=obj.allowed_ips,
        )
        obj.pk, obj.key_id = made.pk, made.key_id
        # Handed to the answer of this request; it is kept nowhere.
        obj.secret = secret

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self.show_secret(
            request,
            obj,
            title="The key is made. Copy its secret now",
            warning="This is the only time the secret is shown. It is not stored: whoever loses it needs a new key.",
            facts=[
                ("Name", obj),
                ("Programme", obj.program),
                ("Key id", console.secret(obj.key_id)),
                ("Secret", console.secret(obj.secret)),
            ],
            purpose="For the environment of the caller:",
            lines=f"LOYALTY_API_KEY={obj.key_id}\nLOYALTY_API_SECRET={obj.secret}",
        )

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        key = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if key and key.revoked_at is None else []

    @action(description="Revoke", url_path="revoke", icon="block", variant=ActionVariant.DANGER, permissions=["change"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will refuse the key from now on."""
        key = self.fetch(request, object_id)
        if request.method == "POST":
            if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
                self.log_change(request, key, "Revoked.")
            messages.success(request, f"{key} is revoked: its callers are refused from now on.")
            return HttpResponseRedirect(console.address(key))
        return self.ask(
            request,
            key,
            form=forms.Form(),
            title="Revoke this API key?",
            deed="Revoke",
            explanation="Whoever uses it is refused at once. It cannot be undone: they will need a new key.",
            facts=[("Name", key.name or console.NOTHING), ("Key id", key.key_id), ("Programme", key.program)],
            is_danger=True,
        )

    @display(description="State", label={"Active": "success", "Revoked": "danger", "Expired": "warning"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return "Revoked"
        if key.expires_at is not None and key.expires_at <= timezone.now():
            return "Expired"
        return "Active"

    @display(description="Secret begins with")
    def begins(self, key: ApiKey) -> str:
        return f"{key.secret_prefix}."

    @display(description="Expires")
    def expires(self, key: ApiKey) -> str:
        return console.moment(key.expires_at, key.program)

    @display(description="Made")
    def created(self, key: ApiKey) -> str:
        return console.moment(key.created_at, key.program)


class SuperuserOnly(console.TableAdmin):
    """Whoever could change staff could allow themselves everything, so only those may who can do everything."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: User | Group | None = None) -> bool:
        return request.user.is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: User | Group | None = None) -> bool:
        return request.user.is_superuser


@admin.register(User)
class UserAdmin(SuperuserOnly, auth_admin.UserAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "roles", "is_superuser", "is_active")
    list_filter = ("is_active", "groups")
    ordering = ("username",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "first_name", "last_name", "email")}),
        (
            "What they may do",
            {
                "fields": ("is_active", "is_staff", "is_superuser", "groups"),
                "description": "Someone who left is made inactive, not deleted: entries of the ledger name them.",
            },
        ),
    )
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        # Someone without it could not log in here, where users are made for nothing else.
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)

    @display(description="Roles")
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or console.NOTHING


class PermissionField(forms.ModelMultipleChoiceField):
    widget = widgets.UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, obj: Permission) -> str:
        return obj.name


class GroupForm(forms.ModelForm):
    permissions = PermissionField(
        queryset=Permission.objects.filter(
            content_type__app_label__in=[
                "loyalty",
                "cards",
                "tiers",
                "points",
                "rewards",
                "notices",
                "campaigns",
                "exchange",
                "events",
                "jobs",
            ],
            codename__in=ALLOWED,
        ).order_by("content_type__app_label", "content_type__model", "codename"),
        required=False,
    )

    class Meta:
        model = Group
        fields = ("name", "permissions")


@admin.register(Group)
class GroupAdmin(SuperuserOnly):
    form = GroupForm
    ordering = ("name",)
    fields = ("name", "permissions")
