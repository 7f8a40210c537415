"""The calls that both load clients make, as bytes."""

HEADERS = (
    "host: 127.0.0.1\r\naccept: application/json\r\naccept-encoding: gzip, deflate\r\n"
    "content-type: application/json\r\nuser-agent: Anthropic/Python 1.17.0\r\nanthropic-version: 2023-06-01\r\n"
    "x-agent-id: bench\r\nx-api-key: not-a-key\r\nx-stainless-arch: x64\r\nx-stainless-async: false\r\n"
    "x-stainless-lang: python\r\nx-stainless-os: Linux\r\nx-stainless-package-version: 1.17.0\r\n"
    "x-stainless-retry-count: 0\r\nx-stainless-runtime: CPython\r\nx-stainless-runtime-version: 3.11.7\r\n"
)
WORDS = "Please weigh the two plans against each other and name the weaker one. " * 13


def call(streamed=False, **knobs):
    """One POST to /v1/messages of about 1 KB; `knobs` are the stand-in's, without their prefix."""
    extra = "".join(f"x-standin-{name}: {value}\r\n" for name, value in knobs.items())
    messages = f'[{{"role":"user","content":"{WORDS}"}}]'
    stream = "true" if streamed else "false"
    body = f'{{"model":"claude-sonnet-4-5","max_tokens":400,"stream":{stream},"messages":{messages}}}'
    return f"POST /v1/messages HTTP/1.1\r\n{HEADERS}{extra}content-length: {len(body)}\r\n\r\n{body}".encode()


def percentile(values, share):
    """The value below which `share` of them lie; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
