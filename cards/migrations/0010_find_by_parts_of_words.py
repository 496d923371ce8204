from django.db import migrations

# All that a customer is found by, as one text: of a phone number also the digits alone, whatever stands between them.
# concat_ws is not immutable for what it might be given; of texts it is.
_WORDS = """
CREATE OR REPLACE FUNCTION cards_words(name text, email text, phone text, external_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(concat_ws(' ', '', name, email, phone, regexp_replace(phone, '\\D', '', 'g'), external_id))
$$
"""


class Migration(migrations.Migration):
    # Indexes are built beside what goes on.
    atomic = False

    dependencies = [
        ("cards", "0009_unsubscribed_from"),
    ]

    operations = [
        # The owner of a database may: it is a trusted extension, and part of Postgres's own packages.
        migrations.RunSQL("CREATE EXTENSION IF NOT EXISTS pg_trgm", migrations.RunSQL.noop),
        migrations.RunSQL(_WORDS, "DROP FUNCTION IF EXISTS cards_words(text, text, text, text)"),
        # Where an earlier try was broken off, what it left is no index yet.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS customer_words", migrations.RunSQL.noop),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY customer_words ON cards_customer"
            " USING gin (cards_words(name, email, phone, external_id) gin_trgm_ops)",
            "DROP INDEX CONCURRENTLY IF EXISTS customer_words",
        ),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS card_number_parts", migrations.RunSQL.noop),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY card_number_parts ON cards_card USING gin (number gin_trgm_ops)",
            "DROP INDEX CONCURRENTLY IF EXISTS card_number_parts",
        ),
    ]
