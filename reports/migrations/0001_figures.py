import django.db.models.deletion
import loyalty.xids
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("loyalty", "0008_margin"),
        ("points", "0021_value_of_a_point"),
    ]

    operations = [
        migrations.CreateModel(
            name="CountedUpTo",
            fields=[
                (
                    "program",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="loyalty.program",
                    ),
                ),
                (
                    "timezone",
                    models.CharField(
                        help_text="The zone of the days. In another one all is counted anew.", max_length=50
                    ),
                ),
                ("xid", loyalty.xids.Xid8Field(help_text="Of the last entry that is counted.", null=True)),
                ("entry_id", models.UUIDField(null=True)),
                (
                    "counted_at",
                    models.DateTimeField(help_text="When it last came to the end. Null: never yet.", null=True),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AccountMonth",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "month", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.UUIDField()),
                ("month", models.DateField(help_text="Its first day.")),
                ("spend", models.DecimalField(decimal_places=2, max_digits=30)),
                ("redeemed", models.BooleanField()),
                (
                    "definition",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="points.pointdefinition"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Figure",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "definition_id",
                        "measure",
                        "day",
                        "key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("earned", "Earned"),
                            ("activated", "Activated"),
                            ("adjusted", "Adjusted"),
                            ("reversed", "Reversed"),
                            ("redeemed", "Redeemed"),
                            ("expired", "Expired"),
                            ("transferred", "Transferred"),
                            ("pending", "Pending"),
                            ("awarded", "Awarded"),
                            ("awards", "Awards"),
                            ("redemptions", "Redemptions"),
                            ("redemption_size", "Redemption Size"),
                            ("earners", "Earners"),
                            ("redeemers", "Redeemers"),
                            ("active", "Active"),
                            ("month_earners", "Month Earners"),
                            ("month_redeemers", "Month Redeemers"),
                            ("month_active", "Month Active"),
                            ("new", "New"),
                            ("last_active", "Last Active"),
                            ("owed", "Owed"),
                            ("owed_pending", "Owed Pending"),
                            ("tier", "Tier"),
                            ("cohort", "Cohort"),
                            ("redeemed_seconds", "Redeemed Seconds"),
                            ("reward", "Reward"),
                            ("reward_points", "Reward Points"),
                            ("redeeming", "Redeeming"),
                            ("redeeming_spend", "Redeeming Spend"),
                            ("others", "Others"),
                            ("others_spend", "Others Spend"),
                        ],
                        max_length=20,
                    ),
                ),
                ("day", models.DateField(help_text="In the programme's time zone.")),
                (
                    "key",
                    models.CharField(
                        help_text="What it is told apart by; empty where there is one of a day.", max_length=36
                    ),
                ),
                ("value", models.DecimalField(decimal_places=2, max_digits=40)),
                (
                    "definition",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="points.pointdefinition",
                    ),
                ),
            ],
        ),
    ]
