"""Something for the desk to know on its first day. Change, add and delete in the admin."""

from django.db import migrations

FIRST = [
    (
        "What is Switchboard?",
        "gateway chat bot",
        "A chat that is answered by a bot, and by people where the bot does not know. I am its first line.",
    ),
    (
        "How do I put the chat on my own site?",
        "widget embed install website page tag script",
        "With one script tag; the start page shows it, ready to copy.",
    ),
    (
        "Who reads what I write?",
        "privacy private data stored kept read transcript",
        "The bot, and the operators of this site, in their console. Everything is kept until they delete it.",
    ),
]


def add_first_questions(apps, schema_editor):
    questions = apps.get_model("bots", "FrequentQuestion").objects.using(schema_editor.connection.alias)
    for question, keywords, answer in FIRST:
        questions.create(question=question, keywords=keywords, answer=answer)


class Migration(migrations.Migration):

    dependencies = [("bots", "0001_bots")]

    operations = [migrations.RunPython(add_first_questions, migrations.RunPython.noop)]
