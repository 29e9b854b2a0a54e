import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """The columns of a claim that is made for parts now. They stay in the table as long as the release before this one
    may run beside it, which writes them; nothing is kept up for them any more."""

    dependencies = [("gateway", "0010_visits_of_a_bot")]

    operations = [
        migrations.AddField(
            model_name="node",
            name="beaten_at",
            field=models.DateTimeField(blank=True, help_text="the last beat, by the database's clock", null=True),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to="gateway.node",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField(model_name="conversation", name="owner"),
                migrations.RemoveField(model_name="conversation", name="lease_until"),
            ]
        ),
    ]
