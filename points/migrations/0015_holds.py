import django.core.serializers.json
import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cards", "0006_merge_and_erase"),
        ("loyalty", "0005_transfers"),
        ("points", "0014_widen_lifetimes"),
        ("tiers", "0002_name_settings_as_staff_do"),
    ]

    operations = [
        migrations.CreateModel(
            name="Hold",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holds",
                        to="points.pointaccount",
                    ),
                ),
                (
                    "program",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.program",
                    ),
                ),
                ("points", models.DecimalField(decimal_places=2, max_digits=17)),
                ("captured_points", models.DecimalField(decimal_places=2, default=0, max_digits=17)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("captured", "Captured"),
                            ("released", "Released"),
                            ("lapsed", "Lapsed"),
                            ("moved", "Moved"),
                        ],
                        default="active",
                        max_length=10,
                    ),
                ),
                (
                    "pins",
                    models.JSONField(
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="What is of which lot, in the order of spending: [lot id, points] each.",
                    ),
                ),
                ("reference", models.CharField(max_length=255, null=True)),
                ("metadata", models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder, null=True)),
                ("expires_at", models.DateTimeField(help_text="When it lapses, if nobody resolves it.")),
                ("created_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolved_by_id", models.UUIDField(help_text="The entry that resolved it.", null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(status="active"), fields=["account", "expires_at", "id"], name="hold_active"
                    ),
                    models.Index(fields=["program", "id"], name="hold_program_id"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(points__gt=0), name="hold_points_positive"),
                    models.CheckConstraint(
                        condition=models.Q(captured_points__gte=0, captured_points__lte=models.F("points")),
                        name="hold_captures_no_more_than_it_has",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(status="captured") ^ models.Q(captured_points=0),
                        name="hold_that_is_captured_has_captured_points",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(status="active")
                        ^ models.Q(resolved_at__isnull=False, resolved_by_id__isnull=False),
                        name="hold_is_resolved_by_an_entry",
                    ),
                ],
            },
        ),
        migrations.AddField(
            "lotuse",
            "is_held",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="The points went into a hold of the account, or came out of one.",
            ),
        ),
        migrations.AddField(
            "pointaccount",
            "closed_at",
            models.DateTimeField(help_text="When its customer was erased: nothing is posted any more.", null=True),
        ),
        migrations.AddField(
            "pointaccount",
            "held",
            models.DecimalField(
                db_default=0,
                decimal_places=2,
                default=0,
                help_text="Set aside by holds: neither spendable nor expiring.",
                max_digits=17,
            ),
        ),
        migrations.AddField(
            "pointaccount",
            "merged_into_id",
            models.UUIDField(help_text="The account of the customer that this one's became.", null=True),
        ),
        migrations.AddField("pointlot", "entry_id", models.UUIDField(help_text="The entry that made it.", null=True)),
        migrations.AddField(
            "pointlot",
            "origin_id",
            models.UUIDField(
                help_text="The lot whose points these were before they came from another account.", null=True
            ),
        ),
        migrations.AddField(
            "pointtransaction",
            "erased_at",
            models.DateTimeField(help_text="When its words were erased with the customer.", null=True),
        ),
        migrations.AddField(
            "pointtransaction",
            "held_after",
            models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=17),
        ),
        migrations.AddField(
            "pointtransaction",
            "other_account_id",
            models.UUIDField(
                help_text="A transfer's or a merge's other account; of a reversal, where the entry undone is.",
                null=True,
            ),
        ),
        migrations.AddField(
            "pointtransaction",
            "other_entry_id",
            models.UUIDField(help_text="The entry of a transfer or a merge in that account.", null=True),
        ),
        migrations.AlterField(
            "pointaccount",
            "listed",
            models.BigIntegerField(
                db_default=0, default=0, help_text="How many of them lists tell: all that change what is owned."
            ),
        ),
        migrations.AlterField(
            "pointaccount",
            "next_due_at",
            models.DateTimeField(help_text="No lot starts or ends, and no hold lapses, before this.", null=True),
        ),
        migrations.AlterField(
            "pointlot",
            "id",
            models.UUIDField(
                editable=False,
                help_text="The id of the entry that made it, where that made no other.",
                primary_key=True,
                serialize=False,
            ),
        ),
        migrations.AlterField(
            "pointtransaction",
            "points",
            models.DecimalField(
                decimal_places=2,
                help_text="The signed change of points owned, pending and held ones among them.",
                max_digits=17,
            ),
        ),
        migrations.AlterField(
            "pointtransaction",
            "reason",
            models.CharField(help_text="Null: erased with the customer.", max_length=255, null=True),
        ),
        migrations.AlterField(
            "pointtransaction",
            "type",
            models.CharField(
                choices=[
                    ("award", "Award"),
                    ("redeem", "Redeem"),
                    ("adjust", "Adjust"),
                    ("reverse", "Reverse"),
                    ("expire", "Expire"),
                    ("activate", "Activate"),
                    ("hold", "Hold"),
                    ("release", "Release"),
                    ("transfer", "Transfer"),
                    ("merge", "Merge"),
                ],
                max_length=10,
            ),
        ),
        # Those that are new are true of every row already; the next migration but one looks, without a lock.
        migrations.RemoveConstraint("pointaccount", "account_without_entries_is_empty"),
        AddConstraintNotValid(
            "lotuse",
            models.CheckConstraint(
                condition=models.Q(is_held=False) | models.Q(lot__isnull=False, pays_debt=False),
                name="use_held_is_of_a_lot",
            ),
        ),
        AddConstraintNotValid(
            "pointaccount",
            models.CheckConstraint(condition=models.Q(held__gte=0), name="account_held_not_negative"),
        ),
        AddConstraintNotValid(
            "pointaccount",
            models.CheckConstraint(
                condition=models.Q(version__gt=0) | models.Q(balance=0, pending=0, held=0),
                name="account_without_entries_is_empty",
            ),
        ),
        AddConstraintNotValid(
            "pointaccount",
            models.CheckConstraint(
                condition=models.Q(merged_into_id=None, closed_at=None) | models.Q(balance=0, pending=0, held=0),
                name="account_that_is_over_is_empty",
            ),
        ),
        AddConstraintNotValid(
            "pointtransaction",
            models.CheckConstraint(condition=models.Q(held_after__gte=0), name="entry_held_not_negative"),
        ),
        AddConstraintNotValid(
            "pointtransaction",
            models.CheckConstraint(
                condition=models.Q(reason__isnull=False) ^ models.Q(erased_at__isnull=False),
                name="entry_has_a_reason_until_it_is_erased",
            ),
        ),
        AddConstraintNotValid(
            "pointtransaction",
            models.CheckConstraint(
                condition=models.Q(type__in=["transfer", "merge"], other_account_id__isnull=False)
                | (~models.Q(type__in=["transfer", "merge"]) & models.Q(other_entry_id=None)),
                name="entry_of_two_accounts_names_the_other",
            ),
        ),
    ]
