from django.db import migrations

# What stands between words in some languages and on some keyboards: no-break and ideographic spaces, tabs, line ends.
_SPACES = "".join(map(chr, (*range(0x09, 0x0E), *range(0x1C, 0x20), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))))
_SPACES += "\u2028\u2029\u202f\u205f\u3000"

# As it was in 0010, and each of them as a space.
_WORDS = f"""
CREATE OR REPLACE FUNCTION cards_words(name text, email text, phone text, external_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(
        lower(concat_ws(' ', '', name, email, phone, regexp_replace(phone, '\\D', '', 'g'), external_id)),
        '[{_SPACES}]', ' ', 'g'
    )
$$
"""
_BEFORE = """
CREATE OR REPLACE FUNCTION cards_words(name text, email text, phone text, external_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(concat_ws(' ', '', name, email, phone, regexp_replace(phone, '\\D', '', 'g'), external_id))
$$
"""
_REINDEX = "REINDEX INDEX CONCURRENTLY customer_words"


class Migration(migrations.Migration):
    # Indexes are built beside what goes on.
    atomic = False

    dependencies = [
        ("cards", "0010_find_by_parts_of_words"),
    ]

    operations = [
        migrations.RunSQL(_WORDS, _BEFORE),
        migrations.RunSQL(_REINDEX, _REINDEX),
    ]
