"""The roles that come with the service: which permissions each has. This is the one place that says so.

A permission of another app is added to EVERYTHING and to the roles that have it. `manage.py migrate` brings the groups
of the database to what stands here.
"""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone

from staff import audit
from staff.audit import Action


def _of(verbs: str, *models: str) -> tuple[str, ...]:
    """This will name permissions: what `verbs` do with each of the models, as in `view add`, `cards.customer`."""
    named = [model.partition(".") for model in models]
    return tuple(f"{app}.{verb}_{model}" for app, _, model in named for verb in verbs.split())


_PEOPLE = ("cards.customer", "cards.card")
_BALANCES = ("points.pointaccount", "points.pointtransaction", "rewards.rewardvoucher", "rewards.redemption")
_EARNING = ("tiers.tier", "tiers.tierscheme", "points.earningrule", "points.earningscheme", "points.campaign")
_OFFERS = ("rewards.reward", "rewards.voucherrule")
_WORDS = ("points.descriptiontext", "notices.noticesettings", "notices.noticetemplate")
_SETUP = ("loyalty.program", "points.pointdefinition")
_HOOKS = ("events.webhookendpoint",)
_KEYS = ("loyalty.apikey",)
_ACCOUNTS = ("auth.user", "auth.group")
_REASONS = ("staff.adjustmentreason",)
# Whoever set the limits of others could lift their own.
_LIMITS = ("staff.adjustmentlimit", "staff.adjustmentsettings")

_AWARDING = (
    *_of("view add change", "campaigns.segment", "campaigns.awardcampaign"),
    "campaigns.start_awardcampaign",
    "campaigns.undo_awardcampaign",
)
_FIGURES = ("reports.view_figure",)
_IMPORTS = _of("view add", "exchange.import")
_EXPORT = "exchange.export_data"

_WRITTEN_BY_THE_SERVICE = (*_BALANCES, "points.rulebook", "events.event", "events.delivery", "jobs.jobrun")
_MAY_BE_DELETED = (
    "tiers.tier",
    "points.earningrule",
    "points.campaign",
    "points.descriptiontext",
    "notices.noticetemplate",
    "events.webhookendpoint",
    "staff.adjustmentlimit",
)
_RULES = (*_EARNING, *_OFFERS, *_WORDS)

# What a group may allow. The rest of Django's permissions name what nobody does here: nobody edits an entry. Over staff
# accounts only the administrator's role has power.
EVERYTHING = (
    *_of("view add change", *_PEOPLE, *_RULES, *_SETUP, *_HOOKS, *_KEYS, *_REASONS, *_LIMITS),
    *_of("delete", *_MAY_BE_DELETED),
    *_of("view", *_WRITTEN_BY_THE_SERVICE, "notices.notice", "staff.adjustmentrequest", "staff.auditentry"),
    *_AWARDING,
    *_FIGURES,
    *_IMPORTS,
    _EXPORT,
    "staff.approve_adjustment",
    "notices.retry_notice",
    "rewards.use_redemption",
    "rewards.cancel_redemption",
    "cards.erase_customer",
    "points.adjust_points",
    "points.use_till",
)

_SUPPORT = (
    "points.use_till",
    "points.adjust_points",
    "rewards.use_redemption",
    "rewards.cancel_redemption",
    "notices.retry_notice",
    *_of("view add change", *_PEOPLE),
    *_of("view", *_BALANCES, *_SETUP, "tiers.tier", "rewards.reward", "notices.notice", "staff.adjustmentrequest"),
)

ROLES: dict[str, tuple[str, ...]] = {
    "Cashier": ("points.use_till",),
    "Support": _SUPPORT,
    "Manager": (
        *_SUPPORT,
        "cards.erase_customer",
        "staff.approve_adjustment",
        *_AWARDING,
        *_FIGURES,
        *_IMPORTS,
        _EXPORT,
        *_of("view add change", *_RULES, *_REASONS),
        *_of("delete", *(model for model in _MAY_BE_DELETED if model in _RULES)),
        *_of("view", *_HOOKS, *_LIMITS, "points.rulebook", "events.event", "events.delivery"),
    ),
    "Finance": (
        "staff.approve_adjustment",
        *_FIGURES,
        *_of("view", "campaigns.segment", "campaigns.awardcampaign"),
        _EXPORT,
        *_of("view", *_PEOPLE, *_BALANCES, *_SETUP, *_EARNING, *_OFFERS, *_REASONS, *_LIMITS),
        *_of("view", "points.rulebook", "staff.adjustmentrequest"),
    ),
    "Auditor": (
        _EXPORT,
        *(name for name in EVERYTHING if name.partition(".")[2].startswith("view_")),
        *_of("view", *_ACCOUNTS),
    ),
    "Administrator": (*EVERYTHING, *_of("view add change", *_ACCOUNTS)),
}


def apply() -> list[str]:
    """This will make the groups of the roles, or bring them to what stands above, and answer which it changed.

    Raises:
        LookupError: a permission that stands above is not in the database.
    """
    changed = []
    with transaction.atomic():
        known = _permissions({name for names in ROLES.values() for name in names})
        for role, names in ROLES.items():
            group, is_new = Group.objects.get_or_create(name=role)
            wanted = {known[name] for name in names}
            if is_new or set(group.permissions.values_list("pk", flat=True)) != wanted:
                group.permissions.set(wanted)
                told = {"name": role, "permissions": names}
                audit.record(
                    action=Action.ADDED if is_new else Action.CHANGED,
                    by="roles",
                    about=group,
                    facts=told,
                    at=timezone.now(),
                )
                changed.append(role)
    return changed


def _permissions(names: Iterable[str]) -> dict[str, int]:
    wanted = set(names)
    rows = Permission.objects.values_list("content_type__app_label", "codename", "pk")
    found = {f"{app}.{codename}": pk for app, codename, pk in rows if f"{app}.{codename}" in wanted}
    if missing := sorted(wanted - found.keys()):
        raise LookupError(f"there is no permission {', '.join(missing)}")
    return found
