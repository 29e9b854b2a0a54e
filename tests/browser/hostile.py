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
