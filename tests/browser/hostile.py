"""Texts that have broken pages elsewhere. `window.hacked` is what they would set."""

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    '"><svg onload="window.hacked = 1">',
    "</textarea></template></switchboard-chat><script>window.hacked=1</script>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "<a href='javascript:window.hacked=1'>press</a> javascript:window.hacked=1",
    'https://a.example/"onmouseover="window.hacked=1',
    "see https://a.example/?q=<script>window.hacked=1</script>",
    "{{constructor.constructor('window.hacked=1')()}} ${window.hacked=1} {% debug %}",
    "&lt;b&gt;entities&lt;/b&gt; &amp; <b>tags</b>",
    "\u202egnp.exe \u2066isolated\u2069 שלום https://שלום.example/א",
    "<math><mtext><style><img src onerror=window.hacked=1></style></mtext></math>",
    "__proto__ constructor toString",
]

# Names, titles, labels of buttons and names of files are said by strangers too.
NAMES = [
    "<img src=x onerror='window.hacked = 1'>",
    "</span><script>window.hacked = 1</script>",
    "'\"><svg/onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "\u202eknab ruoY\u202c\u2066\u200b\u200d\ufeff",
    "photo\u202egnp.exe",
    "../../etc/passwd\u0000.svg".replace("\u0000", "%00"),
    "data:text/html,<script>parent.hacked=1</script>",
    "{{ 7|add:7 }}{% load static %}${window.hacked=1}",
    "=cmd|'/c calc'!A1",
    "a" * 200 + "<b onmouseover=window.hacked=1>",
]
