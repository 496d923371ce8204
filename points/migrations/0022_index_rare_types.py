from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("points", "0021_value_of_a_point")]

    operations = [
        AddIndexConcurrently(
            "pointtransaction",
            models.Index(
                fields=["program", "type", "xid", "id"],
                condition=~models.Q(type__in=["award", "redeem"]),
                name="entry_program_type",
            ),
        ),
    ]
