"""What a visitor fills in before the talk, checked against the bot's own fields."""

from typing import Any

from gateway.web.frames import BadFrame, Form
from gateway.web.options import Options

LONGEST = {"text": 256, "email": 254, "textarea": 4096}


def checked(form: Form, options: Options) -> dict[str, str]:
    """The values by name, stripped, in the fields' order. Raises BadFrame("bad_form")."""
    if not options.form:
        raise _bad(form, "This chat has no form.")
    unknown = form.values.keys() - {str(field["name"]) for field in options.fields}
    if unknown:
        raise _bad(form, f"The form has no field {sorted(unknown)[0][:64]!r}.")
    return {str(field["name"]): _value(form, field) for field in options.fields}


def _value(form: Form, field: dict[str, Any]) -> str:
    value, label = form.values.get(field["name"], "").strip(), field["label"]
    if not value and field["required"]:
        raise _bad(form, f"{label}: this is needed.")
    if len(value) > LONGEST[field["type"]]:
        raise _bad(form, f"{label}: at most {LONGEST[field['type']]} characters.")
    if value and field["type"] == "email" and not _is_address(value):
        raise _bad(form, f"{label}: this is no e-mail address.")
    return value


def _is_address(value: str) -> bool:
    name, at, host = value.rpartition("@")
    return bool(name and at and "." in host.strip(".")) and not any(c.isspace() or ord(c) < 32 for c in value)


def _bad(form: Form, detail: str) -> BadFrame:
    return BadFrame("bad_form", detail, form.id)


def as_text(values: dict[str, str], options: Options) -> str:
    """What operators read of it."""
    labels = {str(field["name"]): str(field["label"]) for field in options.fields}
    return "\n".join(f"{labels[name]}: {value}" for name, value in values.items() if value)
