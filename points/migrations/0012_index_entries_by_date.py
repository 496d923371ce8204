from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models.functions import Coalesce

HAS_EXTERNAL_ID = models.Q(external_id__isnull=False)


class Migration(migrations.Migration):
    # Whoever posts does not wait for it.
    atomic = False

    dependencies = [("points", "0011_count_what_lists_tell")]

    operations = [
        AddIndexConcurrently(
            "lotuse",
            models.Index(fields=["account", "lot"], condition=models.Q(is_expiry=True), name="use_expires"),
        ),
        AddIndexConcurrently(
            "pointtransaction",
            models.Index(
                models.F("account"),
                Coalesce("transaction_date", "effective_at"),
                models.F("version"),
                name="entry_account_dated",
            ),
        ),
        AddIndexConcurrently(
            "pointtransaction",
            models.Index(
                fields=["program", "line_item_id"],
                condition=models.Q(line_item_id__isnull=False),
                name="entry_program_line_item",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY entry_external_id_unique_in_account ON points_pointtransaction"
                    " (program_id, external_id, account_id) WHERE external_id IS NOT NULL",
                    "DROP INDEX CONCURRENTLY entry_external_id_unique_in_account",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    "pointtransaction",
                    models.UniqueConstraint(
                        fields=["program", "external_id", "account"],
                        condition=HAS_EXTERNAL_ID,
                        name="entry_external_id_unique_in_account",
                    ),
                )
            ],
        ),
        AddConstraintNotValid(
            "pointtransaction",
            models.CheckConstraint(
                condition=models.Q(external_id=None) ^ models.Q(fingerprint__isnull=False),
                name="entry_external_id_has_a_fingerprint",
            ),
        ),
        ValidateConstraint("pointtransaction", "entry_external_id_has_a_fingerprint"),
    ]
