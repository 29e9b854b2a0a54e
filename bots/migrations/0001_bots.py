
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='FrequentQuestion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question', models.CharField(help_text='As people ask it. Shown on a button.', max_length=200, unique=True)),
                ('keywords', models.CharField(blank=True, help_text='Other words that people use for it, separated by spaces or commas.', max_length=400)),
                ('answer', models.TextField(max_length=4000)),
                ('enabled', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='SurveyAnswers',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('conversation', models.UUIDField()),
                ('round', models.PositiveIntegerField()),
                ('name', models.CharField(blank=True, max_length=256)),
                ('protocol', models.CharField(max_length=32)),
                ('source', models.CharField(max_length=16, verbose_name='how they heard of us')),
                ('score', models.PositiveSmallIntegerField(verbose_name='how likely they recommend us, 0 to 10')),
                ('again', models.CharField(max_length=16, verbose_name='would use it again')),
                ('remark', models.TextField(blank=True)),
                ('finished_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'verbose_name': 'survey answers',
                'verbose_name_plural': 'survey answers',
                'ordering': ['-finished_at'],
                'constraints': [models.UniqueConstraint(fields=('conversation', 'round'), name='survey_round_once')],
            },
        ),
    ]
