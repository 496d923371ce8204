import django.core.validators
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

import loyalty.xids


class Migration(migrations.Migration):
    # Whoever makes customers does not wait for the index.
    atomic = False

    dependencies = [("cards", "0004_card_updated_at")]

    operations = [
        # Customers that are there already get the number of this statement, without being rewritten: the order among
        # them is that of their ids.
        migrations.AddField(
            "customer",
            "xid",
            loyalty.xids.Xid8Field(db_default=models.Func(function="pg_current_xact_id"), editable=False),
        ),
        AddIndexConcurrently("customer", models.Index(fields=["program", "xid", "id"], name="customer_program_xid")),
        migrations.AlterField(
            "customer",
            "external_id",
            models.CharField(
                blank=True,
                help_text="The shop's own id of the customer.",
                max_length=100,
                null=True,
                validators=[
                    django.core.validators.RegexValidator(
                        "^cus_[0-9a-f]{32}", "Looks like an id of this service.", inverse_match=True
                    )
                ],
            ),
        ),
    ]
