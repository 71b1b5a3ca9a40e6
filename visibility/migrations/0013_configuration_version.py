"""A version of the configuration, so that workers can keep sources and rules in memory."""

from django.db import migrations, models

# Only columns that a person sets: a poll writes its own columns of the source every few seconds.
CREATE_TRIGGERS = """
CREATE FUNCTION visibility_renew_configuration_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visibility_configurationversion (id, version) VALUES (1, gen_random_uuid())
    ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version;
    RETURN NULL;
END $$;
CREATE TRIGGER source_added_or_removed AFTER INSERT OR DELETE ON visibility_source
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_renew_configuration_version();
CREATE TRIGGER source_configured
    AFTER UPDATE OF slug, title, connector, role, config, sealed_secrets, enabled
    ON visibility_source
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_renew_configuration_version();
CREATE TRIGGER rule_changed AFTER INSERT OR UPDATE OR DELETE ON visibility_slarule
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_renew_configuration_version();
CREATE TRIGGER calendar_changed AFTER INSERT OR UPDATE OR DELETE ON visibility_workcalendar
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_renew_configuration_version();
CREATE TRIGGER vocabulary_changed AFTER INSERT OR UPDATE OR DELETE ON visibility_watchedvocabulary
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_renew_configuration_version();
INSERT INTO visibility_configurationversion (id, version) VALUES (1, gen_random_uuid());
"""
DROP_TRIGGERS = """
DROP TRIGGER vocabulary_changed ON visibility_watchedvocabulary;
DROP TRIGGER calendar_changed ON visibility_workcalendar;
DROP TRIGGER rule_changed ON visibility_slarule;
DROP TRIGGER source_configured ON visibility_source;
DROP TRIGGER source_added_or_removed ON visibility_source;
DROP FUNCTION visibility_renew_configuration_version();
"""


class Migration(migrations.Migration):
    dependencies = [("visibility", "0012_widen_object_kind")]

    operations = [
        migrations.CreateModel(
            name="ConfigurationVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.UUIDField()),
            ],
        ),
        migrations.RunSQL(CREATE_TRIGGERS, DROP_TRIGGERS),
    ]
